// swift-tools-version:6.0

import PackageDescription

// On Linux, where tests run, the runtime's library and headers are the system's.
#if os(Linux)
let packages: [Package.Dependency] = []
let onnxRuntime: [Target.Dependency] = []
#else
let packages: [Package.Dependency] = [
    .package(url: "https://github.com/microsoft/onnxruntime-swift-package-manager", from: "1.20.0")
]
let onnxRuntime: [Target.Dependency] = [
    .product(name: "onnxruntime", package: "onnxruntime-swift-package-manager")
]
#endif

let package = Package(
    name: "DigitsKit",
    platforms: [.iOS(.v16), .macOS(.v14)],
    products: [.library(name: "DigitsKit", targets: ["DigitsKit", "DigitsModel"])],
    dependencies: packages,
    targets: [
        // Written by mobile-export: `swiftpm`, and the shim of `pack`.
        .plugin(name: "MobileExportPlugin", capability: .buildTool()),
        .target(
            name: "CDigitsModel",
            dependencies: onnxRuntime,
            linkerSettings: [
                .linkedLibrary("c++", .when(platforms: [.iOS, .macOS])),
                .linkedLibrary("onnxruntime", .when(platforms: [.linux])),
            ]
        ),
        // The generated class, which the plugin brings from ../mobile-export.lock. (A target needs a source of its own.)
        .target(
            name: "DigitsModel",
            dependencies: ["CDigitsModel"],
            resources: [.process("PrivacyInfo.xcprivacy")],
            plugins: ["MobileExportPlugin"]
        ),
        .target(name: "DigitsKit", dependencies: ["DigitsModel"]),
        .testTarget(name: "DigitsKitTests", dependencies: ["DigitsKit"], plugins: ["MobileExportPlugin"]),
    ]
)
