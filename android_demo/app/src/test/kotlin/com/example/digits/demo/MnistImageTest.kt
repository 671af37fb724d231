package com.example.digits.demo

import java.nio.FloatBuffer
import kotlin.math.abs
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

class MnistImageTest {
    private val image = FloatBuffer.allocate(MnistImage.SIDE * MnistImage.SIDE)

    @Test
    fun theCentreOfMassIsTheCentre() {
        // A seven far off in a corner: more ink above than below.
        MnistImage.draw(listOf(floatArrayOf(0.7f, 0.7f, 0.9f, 0.7f, 0.75f, 0.95f)), image)
        val (x, y) = centre()
        assertTrue("$x, $y", abs(x - 14.5) < 0.3 && abs(y - 14.5) < 0.3)
    }

    @Test
    fun sizeAndPlaceDoNotMatter() {
        val small = floatArrayOf(0.1f, 0.1f, 0.2f, 0.3f)
        MnistImage.draw(listOf(small), image)
        val once = FloatArray(image.capacity()) { image.get(it) }
        MnistImage.draw(listOf(FloatArray(small.size) { 3 * small[it] + 0.05f }), image)
        for (i in once.indices) assertEquals(once[i], image.get(i), 1e-3f)
    }

    @Test
    fun aDigitIsTwentyPixelsHigh() {
        MnistImage.draw(listOf(floatArrayOf(0.5f, 0f, 0.5f, 1f)), image)
        val rows = (0 until MnistImage.SIDE).count { row -> (0 until MnistImage.SIDE).any { image.get(row * MnistImage.SIDE + it) > 0.5f } }
        assertTrue("$rows", rows in 19..21)
    }

    @Test
    fun aDotIsADotAndNothingIsNothing() {
        MnistImage.draw(listOf(floatArrayOf(0.9f, 0.1f)), image)
        assertEquals(1f, image.get(14 * MnistImage.SIDE + 14), 0f)
        MnistImage.draw(emptyList(), image)
        assertEquals(0f, (0 until image.capacity()).map { image.get(it) }.sum(), 0f)
    }

    private fun centre(): Pair<Double, Double> {
        var x = 0.0
        var y = 0.0
        var mass = 0.0
        for (i in 0 until image.capacity()) {
            x += image.get(i) * (i % MnistImage.SIDE + 0.5)
            y += image.get(i) * (i / MnistImage.SIDE + 0.5)
            mass += image.get(i)
        }
        return x / mass to y / mass
    }
}
