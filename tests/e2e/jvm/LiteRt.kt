// Declarations read off LiteRT 2.1's sources (litert/kotlin/src/main/kotlin/com/google/ai/edge/litert), of just the
// members that generated code uses. Its classes live in Google's Maven repository alone: generated code is compiled
// against these, never against the classes, and never run.

package com.google.ai.edge.litert

import android.content.res.AssetManager

public enum class Accelerator { NONE, CPU, GPU, NPU }

public class LiteRtException(message: String) : Exception(message)

public abstract class JniHandle internal constructor() : AutoCloseable {
    final override fun close(): Unit = notHere()
}

public class Environment private constructor() : JniHandle()

public class TensorBuffer internal constructor() : JniHandle() {
    @Throws(LiteRtException::class)
    public fun writeInt(data: IntArray): Unit = notHere(data)

    @Throws(LiteRtException::class)
    public fun writeFloat(data: FloatArray): Unit = notHere(data)

    @Throws(LiteRtException::class)
    public fun writeInt8(data: ByteArray): Unit = notHere(data)

    @Throws(LiteRtException::class)
    public fun writeBoolean(data: BooleanArray): Unit = notHere(data)

    @Throws(LiteRtException::class)
    public fun writeLong(data: LongArray): Unit = notHere(data)

    @Throws(LiteRtException::class)
    public fun readInt(): IntArray = notHere()

    @Throws(LiteRtException::class)
    public fun readFloat(): FloatArray = notHere()

    @Throws(LiteRtException::class)
    public fun readInt8(): ByteArray = notHere()

    @Throws(LiteRtException::class)
    public fun readBoolean(): BooleanArray = notHere()

    @Throws(LiteRtException::class)
    public fun readLong(): LongArray = notHere()
}

public class CompiledModel private constructor() : JniHandle() {
    public data class CpuOptions(
        val numThreads: Int? = null,
        val xnnPackFlags: Int? = null,
        val xnnPackWeightCachePath: String? = null,
    )

    public class Options(internal val accelerators: Set<Accelerator>) {
        public constructor(vararg accelerators: Accelerator) : this(setOf(*accelerators))

        public var cpuOptions: CpuOptions? = null
    }

    @Throws(LiteRtException::class)
    public fun createInputBuffer(inputName: String, signature: String = ""): TensorBuffer = notHere(inputName, signature)

    @Throws(LiteRtException::class)
    public fun createOutputBuffer(outputName: String, signature: String = ""): TensorBuffer = notHere(outputName, signature)

    @Throws(LiteRtException::class)
    public fun run(inputs: Map<String, TensorBuffer>, outputs: Map<String, TensorBuffer>, signature: String = ""): Unit =
        notHere(inputs, outputs, signature)

    public companion object {
        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        public fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options = Options(Accelerator.CPU),
            optionalEnv: Environment? = null,
        ): CompiledModel = notHere(assetManager, assetName, options, optionalEnv)

        @Throws(LiteRtException::class)
        @JvmOverloads
        @JvmStatic
        public fun create(
            filePath: String,
            options: Options = Options(Accelerator.CPU),
            optionalEnv: Environment? = null,
        ): CompiledModel = notHere(filePath, options, optionalEnv)
    }
}

private fun notHere(vararg ignored: Any?): Nothing = error("a declaration, and no LiteRT: ${ignored.size}")
