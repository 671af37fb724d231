// Generated from target "android" by mobile-export; do not edit.

package com.example.digits

import java.io.File
import java.io.FileInputStream
import java.nio.Buffer
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import java.nio.channels.FileChannel
import java.security.MessageDigest
import kotlin.math.abs
import kotlin.math.max
import kotlin.math.round

/**
 * The model of target `android`, version 1e7ed41b6c8f.
 *
 *     Digits.open(assets, Digits.Variant.DIGITS_INT8).use { model ->
 *         model.image.put(…)
 *         model.run()
 *         model.probabilities.get(…)
 *     }
 *
 * The `open` that takes assets is in DigitsAsset.kt, and imported by its own name.
 *
 * Inputs and outputs are direct buffers in native byte order, made when the model is opened and used by every [run].
 * [run] works on the caller's thread and makes no objects of its own; what a runtime makes, its adapter says. A model
 * has more threads only where [Options.threads] asks for them. Not safe for use by several threads at once: open one a
 * thread, or lock around writing inputs, [run] and reading outputs.
 */
public class Digits private constructor(
    private val model: Model,
    /** The open file in its runtime. */
    public val session: Session,
) : AutoCloseable {
    private val imageTensor = model.inputs[0]
    private val probabilitiesTensor = model.outputs[0]
    private var closed = false

    /** Input `image`: float32[1, 28, 28, 1]. */
    public val image: FloatBuffer = imageTensor.values().asFloatBuffer()

    /** Output `probabilities`: float32[1, 10]. */
    public val probabilities: FloatBuffer = probabilitiesTensor.values().asFloatBuffer()

    /** The file that runs. */
    public val variant: Variant get() = model.variant

    /** What the runtime was opened for, as the runtime names it: CPU, GPU, XNNPACK, … */
    public val accelerator: String get() = session.accelerator

    /**
     * Answers the inputs: reads each from its first element to its last, and leaves all buffers at position 0.
     *
     * @throws IllegalStateException when the model is closed
     */
    public fun run() {
        check(!closed) { "this Digits is closed; open it again" }
        if (imageTensor.edge.quantized) imageTensor.fill { image.get(it) }
        session.run()
        if (probabilitiesTensor.edge.quantized) probabilitiesTensor.read { i, value -> probabilities.put(i, value) }
        rewind(image)
        rewind(probabilities)
    }

    /**
     * Runs golden vectors, which test builds have in their assets at [Variant.vectors]; inputs and outputs are left as
     * the last of them were.
     *
     * @param relative how far real numbers may be off, in parts of the largest of their tensor; a step of quantized
     *     outputs is always allowed. Accelerators that compute in float16 need about 1e-2
     * @return how far each output was from what the exporter's runtime answered
     * @throws IllegalArgumentException when the vectors, or the model's bytes, are not those of [variant]
     * @throws IllegalStateException when an answer is further off than it may be
     */
    public fun selfTest(vectors: ByteBuffer, relative: Double = 1e-4): List<Difference> {
        val data = vectors.slice().order(ByteOrder.LITTLE_ENDIAN)
        val runs = runsOf(data)
        val worst = arrayOf(Difference("probabilities", 0.0, 0.0))
        var at = HEADER_BYTES
        repeat(runs) {
            at = tensorAt(data, at, imageTensor.edge)
            for (i in 0 until image.capacity()) image.put(i, data.getFloat(at + 4 * i))
            at += 4 * image.capacity()
            run()
            at = tensorAt(data, at, probabilitiesTensor.edge)
            worst[0] = worst[0].orWorse(
                difference(
                    probabilitiesTensor.edge,
                    relative,
                    { data.getFloat(at + 4 * it).toDouble() },
                    { probabilities.get(it).toDouble() },
                ),
            )
            at += 4 * probabilities.capacity()
        }
        check(worst.all { it.passed }) { "${variant.file} answers wrong: ${worst.joinToString()}" }
        return worst.asList()
    }

    /** Frees the runtime. The buffers stay readable. */
    override fun close() {
        if (closed) return
        closed = true
        session.close()
    }

    private fun runsOf(data: ByteBuffer): Int {
        require(data.remaining() >= HEADER_BYTES && hex(data, 0, 8) == MAGIC) { "these are no golden vectors" }
        val vectors = hex(data, 8, 32)
        require(vectors == variant.sha256) { "the golden vectors are not of ${variant.file}: they name $vectors" }
        val file = sha256(model.source.bytes())
        require(file == variant.sha256) { "${model.source.name} is not ${variant.file}: its sha256 is $file" }
        val runs = data.getInt(HEADER_BYTES - 4)
        val bytes = data.remaining() - HEADER_BYTES
        require(runs > 0 && bytes.toLong() == runs.toLong() * RUN_BYTES) {
            "the golden vectors are damaged: $bytes bytes for $runs runs"
        }
        return runs
    }

    /** Stores real values, as integers where these stand for them. */
    private inline fun Tensor.fill(value: (Int) -> Float) {
        when (edge.type) {
            Type.UINT8 -> for (i in 0 until edge.size) {
                buffer.put(i, edge.quantize(value(i), 0, 255).toByte())
            }
            else -> error("no real values are stored as ${edge.type}")
        }
    }

    /** Hands over the real values that integers stand for. */
    private inline fun Tensor.read(use: (Int, Float) -> Unit) {
        when (edge.type) {
            Type.UINT8 -> for (i in 0 until edge.size) use(i, edge.dequantize(buffer.get(i).toInt() and 255))
            else -> error("no real values are stored as ${edge.type}")
        }
    }

    /** A file that answers for the model. */
    public enum class Variant(
        /** Its path among the app's assets. */
        public val file: String,
        /** Path of its golden vectors among the assets of test builds. */
        public val vectors: String,
        public val runtime: Runtime,
        public val precision: String,
        public val sha256: String,
        public val bytes: Long,
        internal val inputs: List<Edge>,
        internal val outputs: List<Edge>,
    ) {
        DIGITS_INT8(
            "models/android/digits_int8.tflite",
            "models/android/digits_int8.golden",
            Runtime.LITERT,
            "int8",
            "725f2206977a682fc467dade14bbd92621ea328d6b01dbd1e9ea7a8eb5a10ab5",
            37606L,
            listOf(
                Edge("image", Type.FLOAT32, imageShape),
            ),
            listOf(
                Edge("probabilities", Type.FLOAT32, probabilitiesShape),
            ),
        ),
        DIGITS_UINT8(
            "models/android/digits_uint8.tflite",
            "models/android/digits_uint8.golden",
            Runtime.LITERT,
            "int8",
            "576cd32b1462e29e0c0dc89fc759b33e278fa17d825b0833f5fec18917c1d67d",
            37702L,
            listOf(
                Edge("image", Type.UINT8, imageShape, 0.003921568859368563, 0),
            ),
            listOf(
                Edge("probabilities", Type.UINT8, probabilitiesShape, 0.00390625, 0),
            ),
        ),
        DIGITS_DYNAMIC(
            "models/android/digits_dynamic.tflite",
            "models/android/digits_dynamic.golden",
            Runtime.LITERT,
            "dynamic",
            "9b0d9905340aaf400c2e6c0542d7147dad0a0a560bd8d3c5da6da10081c56ae9",
            34758L,
            listOf(
                Edge("image", Type.FLOAT32, imageShape),
            ),
            listOf(
                Edge("probabilities", Type.FLOAT32, probabilitiesShape),
            ),
        ),
        DIGITS_FLOAT16(
            "models/android/digits_float16.tflite",
            "models/android/digits_float16.golden",
            Runtime.LITERT,
            "float16",
            "d7de9503c460632b0c0ed5dddcaf772022456479a202df6f0d1fcf9f6c229036",
            43734L,
            listOf(
                Edge("image", Type.FLOAT32, imageShape),
            ),
            listOf(
                Edge("probabilities", Type.FLOAT32, probabilitiesShape),
            ),
        ),
        DIGITS_SMALLEST(
            "models/android/digits_smallest.tflite",
            "models/android/digits_smallest.golden",
            Runtime.LITERT,
            "weight_int4",
            "aeef6e73104723d654a2d1a851af9f6cc4fc9afcf6ccb186d5ba2a89bad96ac5",
            24150L,
            listOf(
                Edge("image", Type.FLOAT32, imageShape),
            ),
            listOf(
                Edge("probabilities", Type.FLOAT32, probabilitiesShape),
            ),
        ),
        DIGITS_ONNX(
            "models/android/digits_onnx.onnx",
            "models/android/digits_onnx.golden",
            Runtime.ONNX_RUNTIME,
            "float32",
            "f6348dddfee33b18e5633e7ff062388c1098c88b04f0c9f574aebeba7d9ef75c",
            78641L,
            listOf(
                Edge("image", Type.FLOAT32, imageShape),
            ),
            listOf(
                Edge("probabilities", Type.FLOAT32, probabilitiesShape),
            ),
        ),
        DIGITS_ONNX_INT8(
            "models/android/digits_onnx_int8.onnx",
            "models/android/digits_onnx_int8.golden",
            Runtime.ONNX_RUNTIME,
            "int8",
            "80476d07d58b9f96166a80c1fcce777918f4d6e73771d644a4abd5091948fff7",
            35348L,
            listOf(
                Edge("image", Type.FLOAT32, imageShape),
            ),
            listOf(
                Edge("probabilities", Type.FLOAT32, probabilitiesShape),
            ),
        ),
    }

    /** What runs a file. */
    public enum class Runtime { LITERT, ONNX_RUNTIME }

    /** Element type of a tensor in a file. */
    public enum class Type(public val bytes: Int, internal val real: Boolean) {
        FLOAT32(4, real = true),
        UINT8(1, real = false),
    }

    /** An input or output of a file; [scale] is 0 where its elements are the values themselves. */
    public class Edge internal constructor(
        public val name: String,
        public val type: Type,
        public val shape: List<Int>,
        public val scale: Double = 0.0,
        public val zeroPoint: Int = 0,
    ) {
        /** Number of elements. */
        public val size: Int = shape.fold(1, Int::times)

        /** Whether integers stand for real values: value = scale * (integer - zeroPoint). */
        public val quantized: Boolean get() = scale != 0.0

        /** The integer from [low] to [high] that is nearest to a value; the even one of two. */
        internal fun quantize(value: Float, low: Int, high: Int): Int =
            (round(value / scale) + zeroPoint).coerceIn(low.toDouble(), high.toDouble()).toInt()

        /** The value that an integer stands for. */
        internal fun dequantize(integer: Int): Float = (integer - zeroPoint) * scale.toFloat()
    }

    /** An input or output of an open file, and the memory that its runtime reads or writes. */
    public class Tensor internal constructor(public val edge: Edge) {
        public val buffer: ByteBuffer = direct(edge.size * edge.type.bytes)

        /** Memory for real values: the same, unless integers stand for them there. */
        internal fun values(): ByteBuffer = if (edge.quantized) direct(4 * edge.size) else buffer
    }

    /** What an [Adapter] opens. */
    public class Model internal constructor(public val variant: Variant, public val source: Source) {
        public val inputs: List<Tensor> = variant.inputs.map(::Tensor)
        public val outputs: List<Tensor> = variant.outputs.map(::Tensor)
    }

    /** A model file, wherever it is. */
    public interface Source {
        /** For messages. */
        public val name: String

        /** Where it is a file of its own; null inside of an APK or in memory. */
        public val path: String?

        /** Its bytes, direct and in native byte order; mapped where that can be. */
        public fun bytes(): ByteBuffer
    }

    /** Opens files in a runtime. */
    public fun interface Adapter {
        public fun open(model: Model, threads: Int): Session
    }

    /** An open file: [run] takes the inputs' memory to the outputs'. */
    public interface Session : AutoCloseable {
        public val accelerator: String

        public fun run()
    }

    /**
     * How a file is opened.
     *
     * @property threads how many threads work on an answer, the caller's among them
     */
    public class Options(
        public val threads: Int = 1,
        public val liteRt: Adapter = DigitsCompiledModel(),
        public val onnxRuntime: Adapter = DigitsOnnxRuntime(),
    ) {
        init {
            require(threads > 0) { "threads is $threads; at least one has to work" }
        }
    }

    /** How far an output was from what it should be, in the worst of the golden runs. */
    public class Difference internal constructor(
        public val output: String,
        public val worst: Double,
        public val allowed: Double,
    ) {
        public val passed: Boolean get() = worst <= allowed

        internal fun orWorse(other: Difference) = if (!passed || other.passed && other.worst < worst) this else other

        override fun toString(): String = "$output is off by $worst where $allowed is allowed"
    }

    private class FileSource(private val file: File) : Source {
        override val name: String get() = file.path
        override val path: String get() = file.path

        override fun bytes(): ByteBuffer = FileInputStream(file).use { stream ->
            stream.channel.map(FileChannel.MapMode.READ_ONLY, 0, stream.channel.size()).order(ByteOrder.nativeOrder())
        }
    }

    private class MemorySource(bytes: ByteBuffer) : Source {
        private val held: ByteBuffer =
            if (bytes.isDirect) bytes.slice() else direct(bytes.remaining()).put(bytes.duplicate()).also { rewind(it) }

        override val name: String get() = "the buffer"
        override val path: String? get() = null

        override fun bytes(): ByteBuffer = held.duplicate().order(ByteOrder.nativeOrder())
    }

    public companion object {
        public const val MODEL_VERSION: String = "1e7ed41b6c8f"

        /** Sizes of [Digits.image]. */
        public val imageShape: List<Int> = listOf(1, 28, 28, 1)

        /** Sizes of [Digits.probabilities]. */
        public val probabilitiesShape: List<Int> = listOf(1, 10)

        /** What each element of [Digits.probabilities]'s last axis stands for. */
        public val probabilitiesLabels: List<String> = probabilitiesLabels()

        private const val MAGIC = "4d58474f4c440001"
        private const val HEADER_BYTES = 44
        private const val RUN_BYTES = 3184L

        /** Opens a file. */
        public fun open(file: File, variant: Variant, options: Options = Options()): Digits =
            open(FileSource(file), variant, options)

        /** Opens a file's bytes, from position to limit; they are copied unless the buffer is direct. */
        public fun open(bytes: ByteBuffer, variant: Variant, options: Options = Options()): Digits =
            open(MemorySource(bytes), variant, options)

        /**
         * Opens a file from wherever it is.
         *
         * @throws IllegalArgumentException when it is of another size than [variant], or the runtime cannot open it
         */
        public fun open(source: Source, variant: Variant, options: Options = Options()): Digits {
            val bytes = source.bytes().remaining().toLong()
            require(bytes == variant.bytes) {
                "${source.name} has $bytes bytes and ${variant.file} ${variant.bytes}: it is another file"
            }
            val adapter = when (variant.runtime) {
                Runtime.LITERT -> options.liteRt
                Runtime.ONNX_RUNTIME -> options.onnxRuntime
            }
            val model = Model(variant, source)
            return Digits(model, adapter.open(model, options.threads))
        }

        private fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

        // Buffer's own methods: those that newer Java gives each kind of buffer are not on older phones.
        private fun rewind(buffer: Buffer) {
            buffer.clear()
        }

        /** Where the elements of a tensor begin, whose number is at [at]. */
        private fun tensorAt(data: ByteBuffer, at: Int, edge: Edge): Int {
            val found = data.getInt(at)
            require(found == edge.size) { "the golden vectors have $found elements for ${edge.name}, not ${edge.size}" }
            return at + 4
        }

        /** How far a tensor is off. Integers and truth values have to be the same. */
        private inline fun difference(
            edge: Edge,
            relative: Double,
            expected: (Int) -> Double,
            actual: (Int) -> Double,
        ): Difference {
            var largest = 0.0
            var worst = 0.0
            for (i in 0 until edge.size) {
                val right = expected(i)
                val answer = actual(i)
                if (!right.isNaN() && !right.isInfinite()) largest = max(largest, abs(right))
                val same = right == answer || right.isNaN() && answer.isNaN()
                if (!same) worst = max(worst, abs(right - answer))
            }
            val real = edge.type.real || edge.quantized
            return Difference(edge.name, worst, if (real) max(relative * largest, edge.scale) else 0.0)
        }

        private fun sha256(bytes: ByteBuffer): String {
            val digest = MessageDigest.getInstance("SHA-256").apply { update(bytes) }.digest()
            return hex(ByteBuffer.wrap(digest), 0, digest.size)
        }

        private fun hex(data: ByteBuffer, at: Int, count: Int): String = buildString {
            for (i in at until at + count) {
                val byte = data.get(i).toInt() and 255
                append("0123456789abcdef"[byte shr 4]).append("0123456789abcdef"[byte and 15])
            }
        }
    }
}

private fun probabilitiesLabels(): List<String> = buildString {
    append("0\n1\n2\n3\n4\n5\n6\n7\n8\n9")
}.split("\n")
