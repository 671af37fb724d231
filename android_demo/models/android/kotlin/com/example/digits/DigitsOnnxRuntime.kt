// Generated from target "android" by mobile-export; do not edit.

package com.example.digits

import ai.onnxruntime.OnnxJavaType
import ai.onnxruntime.OnnxTensor
import ai.onnxruntime.OrtEnvironment
import ai.onnxruntime.OrtException
import ai.onnxruntime.OrtProvider
import ai.onnxruntime.OrtSession

/**
 * Runs .onnx and .ort files of [Digits] with ONNX Runtime 1.20 or later.
 *
 * Tensors lie in the buffers of [Digits.Tensor]; nothing is copied. Each run makes the few small objects that
 * ONNX Runtime's Java classes make for their call, and no more. Beside the threads that are asked for, ONNX Runtime
 * may keep one for the whole process.
 *
 * @param providers what computes, the preferred first, beside the CPU: XNNPACK or NNAPI. Others are for [configure]
 * @param configure changes the session's options, last of all
 */
public class DigitsOnnxRuntime(
    private vararg val providers: OrtProvider,
    private val configure: OrtSession.SessionOptions.() -> Unit = {},
) : Digits.Adapter {

    /** @throws OrtException when ONNX Runtime does not load the file, or lacks a provider */
    override fun open(model: Digits.Model, threads: Int): Digits.Session {
        val session = OrtSession.SessionOptions().use { options ->
            options.setIntraOpNumThreads(threads)
            options.setInterOpNumThreads(1)
            for (provider in providers) options.add(provider, threads)
            options.configure()
            load(model.source, options)
        }
        val accelerator = (providers.map { it.name } + "CPU").distinct().joinToString(", ")
        try {
            return Session(session, pinned(model.inputs), pinned(model.outputs), accelerator)
        } catch (error: OrtException) {
            session.close()
            throw error
        }
    }

    private fun load(source: Digits.Source, options: OrtSession.SessionOptions): OrtSession {
        val environment = OrtEnvironment.getEnvironment()
        val path = source.path ?: return environment.createSession(source.bytes(), options)
        return environment.createSession(path, options)
    }

    private fun OrtSession.SessionOptions.add(provider: OrtProvider, threads: Int) {
        when (provider) {
            OrtProvider.CPU -> Unit
            OrtProvider.XNNPACK -> addXnnpack(mapOf("intra_op_num_threads" to threads.toString()))
            OrtProvider.NNAPI -> addNnapi()
            else -> throw IllegalArgumentException("$provider needs options of its own; add it in configure")
        }
    }

    private fun pinned(tensors: List<Digits.Tensor>): Map<String, OnnxTensor> =
        tensors.associate { it.edge.name to pinned(it) }

    private fun pinned(tensor: Digits.Tensor): OnnxTensor {
        val shape = LongArray(tensor.edge.shape.size) { tensor.edge.shape[it].toLong() }
        val type = when (tensor.edge.type) {
            Digits.Type.FLOAT32 -> OnnxJavaType.FLOAT
            Digits.Type.UINT8 -> OnnxJavaType.UINT8
        }
        return OnnxTensor.createTensor(OrtEnvironment.getEnvironment(), tensor.buffer, shape, type)
    }

    /**
     * An open file. [accelerator] is what was asked for: which nodes each provider took, ONNX Runtime does not tell.
     *
     * @property session ONNX Runtime's own
     * @property inputs what is run, by name
     * @property outputs what is answered, by name
     */
    public class Session internal constructor(
        public val session: OrtSession,
        public val inputs: Map<String, OnnxTensor>,
        public val outputs: Map<String, OnnxTensor>,
        override val accelerator: String,
    ) : Digits.Session {
        override fun run() {
            session.run(inputs, outputs).close()
        }

        override fun close() {
            for (tensor in inputs.values + outputs.values) tensor.close()
            session.close()
        }
    }
}

/** ONNX Runtime's own session; null where another runtime runs the variant. */
public val Digits.ortSession: OrtSession? get() = (session as? DigitsOnnxRuntime.Session)?.session
