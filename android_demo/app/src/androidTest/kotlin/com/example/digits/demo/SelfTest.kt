package com.example.digits.demo

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import com.example.digits.Digits
import com.example.digits.open
import com.example.digits.selfTest
import org.junit.Test
import org.junit.runner.RunWith

/** Every model file answers on this device what the exporter's runtime answered. */
@RunWith(AndroidJUnit4::class)
class SelfTest {
    @Test
    fun everyVariantGivesTheGoldenAnswers() {
        val instrumentation = InstrumentationRegistry.getInstrumentation()
        for (variant in Digits.Variant.values()) {
            Digits.open(instrumentation.targetContext.assets, variant).use { it.selfTest(instrumentation.context.assets) }
        }
    }
}
