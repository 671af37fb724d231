package com.android.build.api.artifact;

/** As Kotlin compiles `sealed class SingleArtifact { object APK }`. */
public abstract class SingleArtifact {
    public static final class APK extends SingleArtifact {
        public static final APK INSTANCE = new APK();

        private APK() {}
    }
}
