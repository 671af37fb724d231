// Brings locked model files and their generated Swift into a target of this package. `mobile-export swiftpm --write`
// wrote this file and overwrites it.
//
// The target says what it takes in a file `mobile-export.conf` in its folder; paths are relative to that folder:
//
//     lock ../../mobile-export.lock
//     target ios
//     take swift assets                 which kinds: assets, swift, test_assets
//
// What is copied and verified is decided by the script in mobile-export/. Plugins have no network: files have to lie
// in a folder that the lock names.

import Foundation
import PackagePlugin

@main
struct MobileExportPlugin: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
        guard let module = target as? SwiftSourceModuleTarget else { return [] }
        let root = context.package.directoryURL
        return try command(module.directoryURL, name: target.name, package: root, work: context.pluginWorkDirectoryURL)
    }
}

#if canImport(XcodeProjectPlugin)
import XcodeProjectPlugin

extension MobileExportPlugin: XcodeBuildToolPlugin {
    /// Of a project, `mobile-export.conf` lies beside it, in a folder of the target's name.
    func createBuildCommands(context: XcodePluginContext, target: XcodeTarget) throws -> [Command] {
        let root = context.xcodeProject.directoryURL
        let folder = root.appendingPathComponent(target.displayName)
        return try command(folder, name: target.displayName, package: root, work: context.pluginWorkDirectoryURL)
    }
}
#endif

/// The one command of a target; it runs again when the lock, the script or a file that it copies has changed.
private func command(_ folder: URL, name: String, package: URL, work: URL) throws -> [Command] {
    let configuration = try Configuration(folder.appendingPathComponent("mobile-export.conf"))
    let lock = configuration.lock
    let script = package.appendingPathComponent("mobile-export/mobile-export.sh")
    let files = try lockedFiles(lock, target: configuration.target).filter { configuration.kinds.contains($0.kind) }
    guard !files.isEmpty else {
        throw Failure("\(lock.path):1: error: target \(configuration.target) has no \(configuration.kinds.joined(separator: ", "))")
    }
    let outputs = files.map { work.appendingPathComponent($0.name) }
    let staging = work.appendingPathComponent(".staging").path
    return [
        .buildCommand(
            displayName: "Models of \(configuration.target) for \(name)",
            executable: URL(fileURLWithPath: "/bin/sh"),
            arguments: [script.path, "locked", configuration.target, lock.path, staging] + outputs.map(\.path),
            inputFiles: [script, lock, configuration.file] + files.compactMap(\.place),
            outputFiles: outputs)
    ]
}

/// What a target takes.
private struct Configuration {
    let file: URL
    let lock: URL
    let target: String
    let kinds: [String]

    init(_ file: URL) throws {
        var said: [String: String] = [:]
        for line in try lines(file) where !line.hasPrefix("#") {
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            if words.count == 2 { said[words[0]] = words[1] }
        }
        guard let lock = said["lock"], let target = said["target"], let take = said["take"] else {
            throw Failure("\(file.path):1: error: it has to say lock, target and take")
        }
        self.file = file
        self.lock = file.deletingLastPathComponent().appendingPathComponent(lock).standardizedFileURL
        self.target = target
        kinds = take.split(separator: " ").map(String.init)
    }
}

/// A file of the lock: what it is, its name in the app, and where it lies, if in a folder.
private struct LockedFile {
    let kind: String
    let name: String
    let place: URL?
}

/// The files of a target, as far as a plugin has to know them to declare inputs and outputs. Nothing is checked here:
/// the script reads the lock itself, and refuses what is no lock, before any file is made.
private func lockedFiles(_ lock: URL, target: String) throws -> [LockedFile] {
    var files: [LockedFile] = []
    var folders: [String] = []
    var current = ""
    for line in try lines(lock) {
        let fields = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard fields.count > 1 else { continue }
        if fields[0] == "target" { current = fields[1] }
        guard current == target else { continue }
        if fields[0] == "from" { folders.append(String(line.dropFirst("from ".count))) }
        guard fields[0] == "file", fields.count == 4, let name = nameInApp(fields[3]) else { continue }
        let places = folders.filter { !$0.contains("://") }.map { folder in
            let hashed = folder.replacingOccurrences(of: "{sha256}", with: fields[1])
            return URL(fileURLWithPath: hashed == folder ? "\(folder)/\(fields[3])" : hashed, relativeTo: lock).standardizedFileURL
        }
        let kind = String(fields[3].prefix { $0 != "/" })
        files.append(LockedFile(kind: kind, name: name, place: places.first { FileManager.default.fileExists(atPath: $0.path) }))
    }
    return files
}

/// The name that a path of the lock has in an app.
private func nameInApp(_ path: String) -> String? {
    let parts = path.split(separator: "/").map(String.init)
    guard !parts.contains("..") else { return nil }
    switch parts.first {
    case "swift": return parts.dropFirst().joined(separator: "/")
    case "assets", "test_assets": return parts.count > 3 ? parts.dropFirst(3).joined(separator: "/") : nil
    default: return nil
    }
}

private func lines(_ file: URL) throws -> [String] {
    guard let text = try? String(contentsOf: file, encoding: .utf8) else {
        throw Failure("\(file.path):1: error: it is missing, or no text")
    }
    return text.split(whereSeparator: \.isNewline).map(String.init)
}

private struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
