plugins {
    alias(libs.plugins.android.application)
}

// Models, the class that runs them, and its golden vectors, all as ../mobile-export.lock says.
apply(from = "mobile-export.gradle")

android {
    namespace = "com.example.digits.demo"
    compileSdk = 36

    defaultConfig {
        applicationId = "com.example.digits.demo"
        minSdk = 26
        targetSdk = 36
        versionCode = 1
        versionName = "1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }
}

dependencies {
    implementation(libs.litert)
    implementation(libs.onnxruntime)

    testImplementation(libs.junit)
    androidTestImplementation(libs.junit)
    androidTestImplementation(libs.test.ext)
    androidTestImplementation(libs.test.runner)
}
