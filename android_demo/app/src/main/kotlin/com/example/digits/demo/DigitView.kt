package com.example.digits.demo

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.util.AttributeSet
import android.view.MotionEvent
import android.view.View
import kotlin.math.min

/** Paper for one digit. */
class DigitView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    val drawing = Drawing()

    /** Called whenever the drawing has changed. */
    var onChange: () -> Unit = {}

    private val path = Path()
    private val pen = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = textColor()
        strokeCap = Paint.Cap.ROUND
        strokeJoin = Paint.Join.ROUND
        strokeWidth = 1 / 12f
        style = Paint.Style.STROKE
    }
    private val frame = Paint().apply {
        color = textColor()
        alpha = 64
        style = Paint.Style.STROKE
    }

    fun clear() {
        drawing.clear()
        changed()
    }

    override fun onMeasure(widthMeasureSpec: Int, heightMeasureSpec: Int) {
        super.onMeasure(widthMeasureSpec, heightMeasureSpec)
        val side = min(measuredWidth, measuredHeight)
        setMeasuredDimension(side, side)
    }

    override fun onDraw(canvas: Canvas) {
        canvas.drawRect(0f, 0f, width - 1f, height - 1f, frame)
        canvas.scale(width.toFloat(), height.toFloat())
        for (stroke in drawing.strokes()) {
            if (stroke.size == 2) {
                canvas.drawPoint(stroke[0], stroke[1], pen)
                continue
            }
            path.rewind()
            path.moveTo(stroke[0], stroke[1])
            for (i in 2 until stroke.size step 2) path.lineTo(stroke[i], stroke[i + 1])
            canvas.drawPath(path, pen)
        }
    }

    override fun onTouchEvent(event: MotionEvent): Boolean {
        // The first finger draws; others change nothing.
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                parent.requestDisallowInterceptTouchEvent(true)
                add(event.x, event.y)
            }
            MotionEvent.ACTION_MOVE -> {
                if (event.getPointerId(0) != 0) return true
                for (i in 0 until event.historySize) add(event.getHistoricalX(i), event.getHistoricalY(i))
                add(event.x, event.y)
            }
            MotionEvent.ACTION_POINTER_UP -> if (event.getPointerId(event.actionIndex) == 0) drawing.lift()
            MotionEvent.ACTION_UP -> {
                drawing.lift()
                performClick()
            }
            MotionEvent.ACTION_CANCEL -> drawing.cancel()
            else -> return true
        }
        changed()
        return true
    }

    private fun add(x: Float, y: Float) = drawing.add(x / width, y / height)

    private fun changed() {
        invalidate()
        onChange()
    }

    private fun textColor(): Int {
        val attributes = context.obtainStyledAttributes(intArrayOf(android.R.attr.textColorPrimary))
        return attributes.getColor(0, 0).also { attributes.recycle() }
    }
}
