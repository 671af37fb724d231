// Generated from target "android" by mobile-export; do not edit.

package com.example.digits

import android.content.res.AssetManager
import java.io.FileInputStream
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel

/**
 * Opens a variant from the app's assets.
 *
 * @throws IOException when it is not among them, or compressed
 */
public fun Digits.Companion.open(
    assets: AssetManager,
    variant: Digits.Variant,
    options: Digits.Options = Digits.Options(),
): Digits = open(DigitsAsset(assets, variant.file), variant, options)

/**
 * Runs the golden vectors among the assets of a test build.
 *
 * @throws IOException when they are not among them
 * @see Digits.selfTest
 */
public fun Digits.selfTest(assets: AssetManager, relative: Double = 1e-4): List<Digits.Difference> =
    selfTest(ByteBuffer.wrap(assets.open(variant.vectors).use { it.readBytes() }), relative)

/** A model file among the app's assets, mapped from the APK: nothing of it is copied. */
public class DigitsAsset(public val assets: AssetManager, private val asset: String) : Digits.Source {
    override val name: String get() = asset
    override val path: String? get() = null

    override fun bytes(): ByteBuffer {
        val descriptor = try {
            assets.openFd(asset)
        } catch (error: IOException) {
            assets.open(asset).close()
            val suffix = asset.substringAfterLast('.')
            throw IOException(
                "$asset is compressed in the APK, so it cannot be mapped; add androidResources.noCompress += \"$suffix\"",
                error,
            )
        }
        return descriptor.use {
            FileInputStream(it.fileDescriptor).use { stream ->
                stream.channel.map(FileChannel.MapMode.READ_ONLY, it.startOffset, it.length).order(ByteOrder.nativeOrder())
            }
        }
    }
}
