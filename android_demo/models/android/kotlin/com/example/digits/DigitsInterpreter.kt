// Generated from target "android" by mobile-export; do not edit.

package com.example.digits

import java.nio.Buffer
import org.tensorflow.lite.Interpreter

/**
 * Runs .tflite files of [Digits] with the Interpreter of LiteRT, or of TensorFlow Lite 2.16 or later.
 *
 * Each run makes the few small objects that the Interpreter's Java classes make for their call, and no more.
 *
 * @param configure changes the interpreter's options, last of all: delegates are added here
 */
public class DigitsInterpreter(
    private val configure: Interpreter.Options.() -> Unit = {},
) : Digits.Adapter {

    override fun open(model: Digits.Model, threads: Int): Digits.Session {
        val options = Interpreter.Options().setNumThreads(threads).apply(configure)
        val accelerator = when {
            options.delegates.isNotEmpty() -> "delegate"
            options.useXNNPACK -> "XNNPACK"
            else -> "CPU"
        }
        return Session(Interpreter(model.source.bytes(), options), model, accelerator)
    }

    /** An open file. [accelerator] is what was asked for: the Interpreter does not tell what it took. */
    public class Session internal constructor(
        public val interpreter: Interpreter,
        model: Digits.Model,
        override val accelerator: String,
    ) : Digits.Session {
        private val buffers: Array<Buffer> = (model.inputs + model.outputs).map { it.buffer }.toTypedArray()
        private val inputs = model.inputs.associateTo(LinkedHashMap<String, Any>()) { it.edge.name to it.buffer }
        private val outputs = model.outputs.associateTo(LinkedHashMap<String, Any>()) { it.edge.name to it.buffer }

        override fun run() {
            for (buffer in buffers) buffer.clear()
            interpreter.runSignature(inputs, outputs)
        }

        override fun close() {
            interpreter.close()
        }
    }
}

/** The Interpreter itself; null where another runtime runs the variant. */
public val Digits.interpreter: Interpreter? get() = (session as? DigitsInterpreter.Session)?.interpreter
