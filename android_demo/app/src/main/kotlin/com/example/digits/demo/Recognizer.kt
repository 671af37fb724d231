package com.example.digits.demo

import android.content.res.AssetManager
import android.os.Handler
import android.os.Looper
import com.example.digits.Digits
import com.example.digits.open
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicReference

/** What one run of a model file said, and how long it took. */
class Answer(
    val variant: Digits.Variant,
    val label: String,
    val probability: Float,
    val accelerator: String,
    val nanoseconds: Long,
)

/**
 * Runs models on a thread of its own, and keeps the one that ran last open. Where drawings come faster than answers, only
 * the last is answered.
 *
 * @param tell takes answers and failures, on the main thread
 */
class Recognizer(
    private val assets: AssetManager,
    private val tell: (Digits.Variant, Result<Answer>) -> Unit,
) : AutoCloseable {
    private class Request(val variant: Digits.Variant, val strokes: List<FloatArray>, val era: Int)

    private val worker = Executors.newSingleThreadExecutor()
    private val main = Handler(Looper.getMainLooper())
    private val next = AtomicReference<Request?>()
    private var model: Digits? = null // the worker's own
    private var era = 0 // the main thread's own; answers of earlier ones are not told

    fun recognize(variant: Digits.Variant, strokes: List<FloatArray>) {
        if (next.getAndSet(Request(variant, strokes, era)) == null) worker.execute(::answer)
    }

    /** Answers nothing that was asked until now. */
    fun forget() {
        era++
        next.set(null)
    }

    override fun close() {
        forget()
        worker.execute { model?.close() }
        worker.shutdown()
    }

    private fun answer() {
        val request = next.getAndSet(null) ?: return
        val answer = runCatching { run(modelFor(request.variant), request.strokes) }
        main.post { if (request.era == era) tell(request.variant, answer) }
    }

    private fun modelFor(variant: Digits.Variant): Digits {
        model?.let { if (it.variant == variant) return it else it.close() }
        model = null
        val opened = Digits.open(assets, variant)
        opened.run() // the first run of a file is slower than all others
        model = opened
        return opened
    }

    private fun run(model: Digits, strokes: List<FloatArray>): Answer {
        MnistImage.draw(strokes, model.image)
        val start = System.nanoTime()
        model.run()
        val nanoseconds = System.nanoTime() - start
        val labels = Digits.probabilitiesLabels
        val best = labels.indices.maxByOrNull { model.probabilities.get(it) } ?: 0
        return Answer(model.variant, labels[best], model.probabilities.get(best), model.accelerator, nanoseconds)
    }
}
