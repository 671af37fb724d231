package com.example.digits.demo

import java.nio.FloatBuffer
import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.min

/**
 * Draws strokes as the digits of MNIST were drawn, which is what the model has learned: scaled into a box of 20 pixels,
 * with a pen of one width whatever the size, and moved so that the centre of mass is the centre of the image.
 */
object MnistImage {
    const val SIDE = 28
    private const val BOX = 20f
    private const val PEN = 1.2f // pixels from the middle of a line to its edge
    private const val CENTRE = 14.5f

    /** Writes SIDE rows of SIDE pixels into [image] from its first element on, 0 for paper and 1 for ink. */
    fun draw(strokes: List<FloatArray>, image: FloatBuffer) {
        val pixels = FloatArray(SIDE * SIDE)
        val fitted = fit(strokes)
        ink(fitted, 0f, 0f, pixels)
        val mass = pixels.sum()
        if (mass > 0) {
            var x = 0f
            var y = 0f
            for (i in pixels.indices) {
                x += pixels[i] * (i % SIDE + 0.5f)
                y += pixels[i] * (i / SIDE + 0.5f)
            }
            pixels.fill(0f)
            ink(fitted, CENTRE - x / mass, CENTRE - y / mass, pixels)
        }
        for (i in pixels.indices) image.put(i, pixels[i])
    }

    /** The strokes, with their lines' edges in a box of BOX pixels in the middle of the image. A dot stays a dot. */
    private fun fit(strokes: List<FloatArray>): List<FloatArray> {
        var left = Float.MAX_VALUE
        var top = Float.MAX_VALUE
        var right = -Float.MAX_VALUE
        var bottom = -Float.MAX_VALUE
        for (stroke in strokes) {
            for (i in stroke.indices step 2) {
                left = min(left, stroke[i])
                right = max(right, stroke[i])
                top = min(top, stroke[i + 1])
                bottom = max(bottom, stroke[i + 1])
            }
        }
        val size = max(right - left, bottom - top)
        val scale = if (size > 0) (BOX - 2 * PEN) / size else 1f
        val x = CENTRE - (left + right) / 2 * scale
        val y = CENTRE - (top + bottom) / 2 * scale
        return strokes.map { stroke ->
            FloatArray(stroke.size) { i -> stroke[i] * scale + if (i % 2 == 0) x else y }
        }
    }

    private fun ink(strokes: List<FloatArray>, dx: Float, dy: Float, pixels: FloatArray) {
        for (stroke in strokes) {
            for (i in stroke.indices step 2) {
                val next = min(i + 2, stroke.size - 2)
                line(stroke[i] + dx, stroke[i + 1] + dy, stroke[next] + dx, stroke[next + 1] + dy, pixels)
            }
        }
    }

    /** One line with round ends; each pixel is as dark as much of it the line covers. */
    private fun line(x0: Float, y0: Float, x1: Float, y1: Float, pixels: FloatArray) {
        val reach = PEN + 1
        val columns = max(0, floor(min(x0, x1) - reach).toInt())..min(SIDE - 1, ceil(max(x0, x1) + reach).toInt())
        val rows = max(0, floor(min(y0, y1) - reach).toInt())..min(SIDE - 1, ceil(max(y0, y1) + reach).toInt())
        val length = (x1 - x0) * (x1 - x0) + (y1 - y0) * (y1 - y0)
        for (row in rows) {
            for (column in columns) {
                val x = column + 0.5f - x0
                val y = row + 0.5f - y0
                val along = if (length > 0) ((x * (x1 - x0) + y * (y1 - y0)) / length).coerceIn(0f, 1f) else 0f
                val distance = hypot(x - along * (x1 - x0), y - along * (y1 - y0))
                val covered = (PEN + 0.5f - distance).coerceIn(0f, 1f)
                val at = row * SIDE + column
                pixels[at] = max(pixels[at], covered)
            }
        }
    }
}
