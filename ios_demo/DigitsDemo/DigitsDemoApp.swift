import SwiftUI

@main
struct DigitsDemoApp: App {
    var body: some Scene {
        WindowGroup { ContentView() }
    }
}
