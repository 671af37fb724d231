package com.example.digits.demo

import android.app.Activity
import android.os.Bundle
import android.view.View
import android.widget.AdapterView
import android.widget.ArrayAdapter
import android.widget.Button
import android.widget.Spinner
import android.widget.TextView
import com.example.digits.Digits
import kotlin.math.roundToInt

/** Draw a digit; see which one it is taken for, by which model file, and in what time. */
class MainActivity : Activity() {
    private lateinit var recognizer: Recognizer
    private lateinit var digit: DigitView
    private lateinit var variants: Spinner

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        setContentView(R.layout.main)
        recognizer = Recognizer(assets, ::show)
        digit = findViewById(R.id.digit) as DigitView
        digit.onChange = ::recognize
        variants = findViewById(R.id.variants) as Spinner
        variants.adapter = ArrayAdapter(this, android.R.layout.simple_spinner_dropdown_item, VARIANTS.map { it.title })
        variants.onItemSelectedListener = object : AdapterView.OnItemSelectedListener {
            override fun onItemSelected(parent: AdapterView<*>?, view: View?, position: Int, id: Long) = recognize()

            override fun onNothingSelected(parent: AdapterView<*>?) = Unit
        }
        (findViewById(R.id.clear) as Button).setOnClickListener { digit.clear() }
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        val strokes = digit.drawing.strokes()
        state.putInt("strokes", strokes.size)
        strokes.forEachIndexed { i, stroke -> state.putFloatArray("stroke $i", stroke) }
    }

    // What was drawn is answered when the spinner tells what is chosen in it, which it does after this.
    override fun onRestoreInstanceState(state: Bundle) {
        super.onRestoreInstanceState(state)
        digit.drawing.restore((0 until state.getInt("strokes")).mapNotNull { state.getFloatArray("stroke $it") })
    }

    override fun onDestroy() {
        recognizer.close()
        super.onDestroy()
    }

    private fun recognize() {
        if (digit.drawing.isEmpty) {
            recognizer.forget()
            show("", "", "")
        } else {
            recognizer.recognize(VARIANTS[variants.selectedItemPosition], digit.drawing.strokes())
        }
    }

    private fun show(variant: Digits.Variant, result: Result<Answer>) {
        val answer = result.getOrElse {
            show("?", "", getString(R.string.failed, variant.title, it.message ?: it.javaClass.simpleName))
            return
        }
        show(
            answer.label,
            getString(R.string.sure, (100 * answer.probability).roundToInt()),
            getString(R.string.ran, variant.title, answer.accelerator, "%,d".format(answer.nanoseconds / 1000)),
        )
    }

    private fun show(answer: String, sure: String, ran: String) {
        (findViewById(R.id.answer) as TextView).text = answer
        (findViewById(R.id.sure) as TextView).text = sure
        (findViewById(R.id.ran) as TextView).text = ran
    }

    private companion object {
        val VARIANTS = Digits.Variant.values()

        /** The model file, as a person reads it. */
        val Digits.Variant.title: String get() = "${file.substringAfterLast('/')} ($precision, ${bytes / 1000} kB)"
    }
}
