package com.example.digits.demo

/** Strokes of a finger, each as x0, y0, x1, y1, …, from 0 to 1 over the paper's width and height. */
class Drawing {
    private val finished = ArrayList<FloatArray>()
    private var current = FloatArray(64)
    private var length = 0

    val isEmpty: Boolean get() = finished.isEmpty() && length == 0

    /** Adds a point to the stroke that is being drawn. */
    fun add(x: Float, y: Float) {
        if (length == current.size) current = current.copyOf(2 * length)
        current[length++] = x
        current[length++] = y
    }

    /** Ends the stroke that is being drawn. */
    fun lift() {
        if (length > 0) finished += current.copyOf(length)
        length = 0
    }

    /** Forgets the stroke that is being drawn. */
    fun cancel() {
        length = 0
    }

    fun clear() {
        finished.clear()
        length = 0
    }

    /** All strokes as they are now; nothing changes in them later. */
    fun strokes(): List<FloatArray> = if (length > 0) finished + current.copyOf(length) else finished.toList()

    fun restore(strokes: List<FloatArray>) {
        clear()
        finished += strokes
    }
}
