// Recognizes drawings on a JVM, as the demo does on a phone: one drawing a line, strokes parted by tabs, numbers by spaces.

import com.example.digits.Digits
import com.example.digits.demo.Drawing
import com.example.digits.demo.MnistImage
import java.io.File

fun main(arguments: Array<String>) {
    Digits.open(File(arguments[0]), Digits.Variant.DIGITS_APP_ONNX).use { model ->
        for (line in generateSequence(::readlnOrNull)) {
            val drawing = Drawing()
            for (stroke in line.split('\t')) {
                for ((x, y) in stroke.split(' ').map { it.toFloat() }.chunked(2)) drawing.add(x, y)
                drawing.lift()
            }
            MnistImage.draw(drawing.strokes(), model.image)
            model.run()
            val labels = Digits.probabilitiesLabels
            println(labels.indices.maxByOrNull { model.probabilities.get(it) }?.let { labels[it] })
        }
    }
}
