// Generated from target "android" by mobile-export; do not edit.

package com.example.digits

import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.Environment
import com.google.ai.edge.litert.LiteRtException
import com.google.ai.edge.litert.TensorBuffer
import java.nio.Buffer

/**
 * Runs .tflite files of [Digits] with the CompiledModel of LiteRT 2.1 or later.
 *
 * LiteRT takes arrays and gives new ones: every run copies inputs through arrays that are kept, and outputs out of the
 * arrays that LiteRT makes for each answer. LiteRT opens assets and files, and no buffers.
 *
 * @param accelerators what may compute; the CPU where nothing is said
 * @param environment LiteRT's own, to be shared by models; the app closes it
 * @param configure changes the options, last of all
 */
public class DigitsCompiledModel(
    private vararg val accelerators: Accelerator,
    private val environment: Environment? = null,
    private val configure: CompiledModel.Options.() -> Unit = {},
) : Digits.Adapter {

    override fun open(model: Digits.Model, threads: Int): Digits.Session {
        val wanted = if (accelerators.isEmpty()) arrayOf(Accelerator.CPU) else arrayOf(*accelerators)
        val options = CompiledModel.Options(*wanted)
        if (Accelerator.CPU in wanted) options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
        options.configure()
        return Session(load(model.source, options), model, wanted.joinToString(", ") { it.name })
    }

    private fun load(source: Digits.Source, options: CompiledModel.Options): CompiledModel {
        val path = source.path
        return when {
            source is DigitsAsset -> CompiledModel.create(source.assets, source.name, options, environment)
            path != null -> CompiledModel.create(path, options, environment)
            else -> throw IllegalArgumentException(
                "LiteRT's CompiledModel opens no buffers; open an asset or a file; DigitsInterpreter opens those",
            )
        }
    }

    /** An open file. [accelerator] is what was asked for: LiteRT does not tell what it took. */
    public class Session internal constructor(
        public val compiledModel: CompiledModel,
        model: Digits.Model,
        override val accelerator: String,
    ) : Digits.Session {
        private val slots = ArrayList<Slot>()
        private val inputs = LinkedHashMap<String, TensorBuffer>()
        private val outputs = LinkedHashMap<String, TensorBuffer>()

        init {
            try {
                for (tensor in model.inputs) add(tensor, compiledModel.createInputBuffer(tensor.edge.name), inputs)
                for (tensor in model.outputs) add(tensor, compiledModel.createOutputBuffer(tensor.edge.name), outputs)
            } catch (error: LiteRtException) {
                close()
                throw error
            }
        }

        override fun run() {
            for (i in 0 until inputs.size) slots[i].write()
            compiledModel.run(inputs, outputs)
            for (i in inputs.size until slots.size) slots[i].read()
        }

        override fun close() {
            for (slot in slots) slot.remote.close()
            compiledModel.close()
        }

        private fun add(tensor: Digits.Tensor, remote: TensorBuffer, side: MutableMap<String, TensorBuffer>) {
            side[tensor.edge.name] = remote
            slots += when (tensor.edge.type) {
                Digits.Type.FLOAT32 -> FloatArraySlot(tensor, remote)
                Digits.Type.UINT8 -> ByteArraySlot(tensor, remote)
            }
        }
    }

    /** A tensor's memory, and LiteRT's buffer that stands for it. */
    private abstract class Slot(val remote: TensorBuffer) {
        abstract fun write()

        abstract fun read()

        // Buffer's own method: those that newer Java gives each kind of buffer are not on older phones.
        protected fun rewind(buffer: Buffer) {
            buffer.clear()
        }
    }

    private class FloatArraySlot(tensor: Digits.Tensor, remote: TensorBuffer) : Slot(remote) {
        private val local = tensor.buffer.asFloatBuffer()
        private val array = FloatArray(tensor.edge.size)

        override fun write() {
            rewind(local)
            local.get(array)
            remote.writeFloat(array)
        }

        override fun read() {
            rewind(local)
            local.put(remote.readFloat())
        }
    }

    private class ByteArraySlot(tensor: Digits.Tensor, remote: TensorBuffer) : Slot(remote) {
        private val local = tensor.buffer.duplicate()
        private val array = ByteArray(tensor.edge.size)

        override fun write() {
            rewind(local)
            local.get(array)
            remote.writeInt8(array)
        }

        override fun read() {
            rewind(local)
            local.put(remote.readInt8())
        }
    }
}

/** LiteRT's own object; null where another runtime runs the variant. */
public val Digits.compiledModel: CompiledModel? get() = (session as? DigitsCompiledModel.Session)?.compiledModel
