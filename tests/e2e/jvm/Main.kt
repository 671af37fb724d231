// Drives generated classes on a JVM: takes one command a line, its words parted by tabs, and answers with one line.

import ai.onnxruntime.OrtProvider
import com.example.digits.Digits
import com.example.digits.DigitsOnnxRuntime
import com.example.digits.ortSession
import com.example.`in`.nasty.Many
import com.example.`in`.nasty.Nasty
import com.example.`in`.nasty.NastyOnnxRuntime
import com.example.`in`.nasty.Open
import com.sun.management.ThreadMXBean
import java.io.File
import java.lang.management.ManagementFactory
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer

private const val WARM_UP = 20_000
private const val RUNS = 2_000

fun main() {
    while (true) {
        val words = (readlnOrNull() ?: return).split('\t')
        println(
            try {
                answer(words[0], words.drop(1)).replace('\n', ' ')
            } catch (error: Exception) {
                "${error.javaClass.simpleName}: ${error.message}"
            },
        )
    }
}

private fun answer(command: String, words: List<String>): String = when (command) {
    "selfTest" -> opened(words) { it.selfTest(bytes(words[2])).joinToString() }
    "selfTestWithin" -> opened(words) { it.selfTest(bytes(words[2]), relative = words[3].toDouble()).joinToString() }
    "selfTestOfBuffer" -> Digits.open(bytes(words[1]), Digits.Variant.valueOf(words[0])).use {
        it.selfTest(bytes(words[2])).joinToString()
    }
    "run" -> opened(words) { answers(it, bytes(words[2]).floats()) }
    "accelerator" -> opened(words) { it.accelerator }
    "threads" -> {
        val before = threads()
        Digits.open(File(words[1]), Digits.Variant.valueOf(words[0]), Digits.Options(words[2].toInt())).use {
            it.run()
            "${threads() - before}"
        }
    }
    "provided" -> {
        val runtime = DigitsOnnxRuntime(OrtProvider.valueOf(words[2]))
        Digits.open(File(words[1]), Digits.Variant.valueOf(words[0]), Digits.Options(onnxRuntime = runtime)).use {
            it.accelerator
        }
    }
    "configured" -> {
        val runtime = DigitsOnnxRuntime(configure = { addConfigEntry("session.load_model_format", "ORT") })
        Digits.open(File(words[1]), Digits.Variant.valueOf(words[0]), Digits.Options(onnxRuntime = runtime)).use { "opened" }
    }
    "closed" -> {
        val model = opened(words) { it }
        model.close()
        model.run()
        "it ran"
    }
    "allocates" -> opened(words, ::allocates)
    "facts" -> listOf(
        Digits.MODEL_VERSION,
        Digits.imageShape,
        Digits.probabilitiesLabels,
        Digits.Variant.values().map { "${it.file} ${it.precision} ${it.sha256} ${it.bytes}" },
    ).joinToString("|")
    "nasty selfTest" -> nasty(words) { it.selfTest(bytes(words[2])).joinToString() }
    "nasty allocates" -> nasty(words, ::allocates)
    "sizes" -> sizes(File(words[0]), words[1].toInt(), words[2].toInt())
    "labels" -> if (words[0] == "many") quoted(Many.scoresLabels) else quoted(Nasty.data_Labels)
    else -> throw IllegalArgumentException(command)
}

private fun <T> opened(words: List<String>, use: (Digits) -> T): T =
    Digits.open(File(words[1]), Digits.Variant.valueOf(words[0])).use(use)

/** The same call sites for every variant. */
private fun answers(model: Digits, images: FloatBuffer): String {
    val answer = FloatArray(model.probabilities.capacity())
    val image = FloatArray(model.image.capacity())
    val found = StringBuilder()
    while (images.hasRemaining()) {
        images.get(image)
        model.image.put(image)
        model.run()
        model.probabilities.get(answer)
        found.append(answer.joinToString(" ", postfix = " "))
    }
    return found.toString()
}

private fun <T> nasty(words: List<String>, use: (Nasty) -> T): T =
    Nasty.open(File(words[1]), Nasty.Variant.valueOf(words[0])).use(use)

private fun allocates(model: Nasty): String {
    val pinned = model.session as NastyOnnxRuntime.Session
    return "${perRun { model.run() }} ${perRun { pinned.session.run(pinned.inputs, pinned.outputs).close() }}"
}

/** In which column each of so many rows has its one, which is one further in each row. */
private fun sizes(file: File, rows: Int, columns: Int): String {
    val shapes = Open.Shapes(rows = listOf(rows, columns), largest = listOf(rows))
    return Open.open(file, Open.Variant.ANY, shapes = shapes).use { model ->
        for (i in 0 until model.rows.capacity()) model.rows.put(i, if (i / columns % columns == i % columns) 1f else 0f)
        model.run()
        (0 until model.largest.capacity()).joinToString(" ") { model.largest.get(it).toString() }
    }
}

/** As JSON, in ASCII. */
private fun quoted(texts: List<String>): String = texts.joinToString(",", "[", "]") { text ->
    text.map { "\\u%04x".format(it.code) }.joinToString("", "\"", "\"")
}

/** Bytes of the Java heap that a run takes: through the class, and by ONNX Runtime alone. */
private fun allocates(model: Digits): String {
    val (session, pinned) = checkNotNull(model.ortSession) to model.session as DigitsOnnxRuntime.Session
    return "${perRun { model.run() }} ${perRun { session.run(pinned.inputs, pinned.outputs).close() }}"
}

private inline fun perRun(run: () -> Unit): Long {
    val threads = ManagementFactory.getThreadMXBean() as ThreadMXBean
    val thread = Thread.currentThread().id
    repeat(WARM_UP) { run() }
    val before = threads.getThreadAllocatedBytes(thread)
    repeat(RUNS) { run() }
    return (threads.getThreadAllocatedBytes(thread) - before) / RUNS
}

/** How many threads this process has, those that no Java class knows among them. */
private fun threads(): Int = checkNotNull(File("/proc/self/task").list()).size

private fun bytes(path: String): ByteBuffer = ByteBuffer.wrap(File(path).readBytes())

private fun ByteBuffer.floats(): FloatBuffer = order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
