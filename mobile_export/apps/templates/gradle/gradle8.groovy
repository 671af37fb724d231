// Models of mobile-export in an Android app's build, for Gradle 8 and later with the Android Gradle Plugin 8 and 9.
// Written by "mobile-export gradle --write"; write it again rather than edit. To apply, beside the app's build file:
//
//     apply from: 'mobile-export.gradle'          build.gradle
//     apply(from = "mobile-export.gradle")        build.gradle.kts
//
// What may be said there, all of it with defaults, and as Gradle properties (mobileExport.mode, …), too:
//
//     mobileExport {
//         mode = 'locked'                                            // verifies and copies or fetches; needs no Python
//         lock = file('mobile-export.lock')                          // beside the build file, or at the root
//         targets = ['android']                                      // names in the lock; else the only one there
//         flavors = [small: ['android_small'], full: ['android']]    // mobileExport.targets.small=android_small
//     }
//     mobileExport {
//         mode = 'build'                                             // converts
//         executable = file('../.venv/bin/mobile-export')            // never looked for on PATH
//         targets = ['../targets/android.toml']                      // target files
//         gate = 'warn'                                              // debuggable builds may take what missed a limit
//     }
//
// Its tests execute it on Gradle 8.8, with the configuration cache, and what it says to the Android plugin on a
// stand-in with the signatures that it calls. With the Android plugins 8 and 9 themselves, and on Gradle 9, it has never
// been executed there.

import groovy.json.JsonSlurper
import groovy.transform.CompileDynamic
import groovy.transform.CompileStatic
import java.math.MathContext
import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException
import java.nio.charset.StandardCharsets
import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.StandardCopyOption
import java.security.MessageDigest
import java.util.function.Consumer
import java.util.regex.Matcher
import java.util.regex.Pattern
import java.util.zip.ZipEntry
import java.util.zip.ZipFile
import javax.inject.Inject
import javax.net.ssl.SSLException

/** What the app's build says. */
abstract class MobileExportExtension {
    abstract Property<String> getMode()
    abstract RegularFileProperty getLock()
    abstract RegularFileProperty getExecutable()
    abstract ListProperty<String> getTargets()
    abstract MapProperty<String, List<String>> getFlavors()
    abstract Property<String> getGate()
}

/** Brings models, generated code and golden vectors to where the variant takes them from. */
@CompileStatic
abstract class ExportModels extends DefaultTask {
    @OutputDirectory abstract DirectoryProperty getAssets()
    @OutputDirectory abstract DirectoryProperty getKotlin()
    /** Golden vectors, for test builds alone. */
    @OutputDirectory abstract DirectoryProperty getTestAssets()

    protected Map<String, File> folders() {
        [assets: assets.get().asFile, kotlin: kotlin.get().asFile, test_assets: testAssets.get().asFile]
    }
}

/** Verifies and copies or fetches what a lock names; runs nothing. */
@CompileStatic
@CacheableTask
abstract class ExportLockedModels extends ExportModels {
    /** May be missing: what to do then, the task says better than Gradle. */
    @InputFiles @PathSensitive(PathSensitivity.NONE) abstract RegularFileProperty getLock()
    @Input abstract ListProperty<String> getTargets()
    /** The locked files, as far as they lie in folders here. */
    @InputFiles @PathSensitive(PathSensitivity.NONE) abstract ConfigurableFileCollection getLocal()
    @Internal abstract DirectoryProperty getDownloads()
    @Internal abstract Property<Boolean> getOffline()

    @TaskAction
    void export() {
        Consumer<String> log = { String line -> logger.lifecycle(line) }
        Downloads shared = new Downloads(downloads.get().asFile, offline.get(), log)
        new LockedModels(lock.get().asFile, shared).place(targets.get(), folders())
    }
}

/** Asks the exporter which files a build of the targets reads, and what it is itself. */
@CompileStatic
@UntrackedTask(because = 'which files a target reads is known when it has been read')
abstract class ListModelInputs extends DefaultTask {
    @Internal abstract RegularFileProperty getExecutable()
    @Internal abstract ListProperty<File> getTargets()
    @OutputFile abstract RegularFileProperty getFiles()
    @OutputFile abstract RegularFileProperty getTools()
    @Inject abstract ExecOperations getOperations()

    @TaskAction
    void list() {
        files.get().asFile.setText(answer(['build', '--print-inputs'] + targets.get()*.path), 'UTF-8')
        tools.get().asFile.setText(answer(['doctor', '--format', 'json']), 'UTF-8')
    }

    private String answer(List<String> arguments) {
        Exporter.run(operations, logger, executable.orNull?.asFile, arguments)
    }
}

/** Converts, checks and publishes targets, and takes what was published. */
@CompileStatic
@CacheableTask
abstract class ExportBuiltModels extends ExportModels {
    @Internal abstract RegularFileProperty getExecutable()
    @Input abstract ListProperty<String> getTargets()
    @Internal abstract ListProperty<File> getTargetFiles()
    /** Everything that the targets read, themselves included: known when ListModelInputs has run. */
    @InputFiles @PathSensitive(PathSensitivity.RELATIVE) abstract ConfigurableFileCollection getSources()
    @InputFiles @PathSensitive(PathSensitivity.ABSOLUTE) abstract ConfigurableFileCollection getNamesakes()
    /** Their paths: an image that moves to another class keeps its name and bytes. */
    @InputFile @PathSensitive(PathSensitivity.NONE) abstract RegularFileProperty getInventory()
    /** Versions of the exporter, of the converters and of Python. */
    @InputFile @PathSensitive(PathSensitivity.NONE) abstract RegularFileProperty getTools()
    @Input abstract Property<String> getGate()
    @Input abstract Property<Boolean> getDebug()
    @Inject abstract ExecOperations getOperations()
    @Inject abstract FileSystemOperations getFileSystem()

    @TaskAction
    void export() {
        String wanted = ModelSettings.gate(gate.get(), debug.get(), name)
        File out = new File(temporaryDir, 'published')
        List<String> arguments = ['build', '--out', out.path, '--gate', wanted, '--format', 'json']
        arguments.addAll(targetFiles.get()*.path)
        String answer = Exporter.run(operations, logger, executable.orNull?.asFile, arguments)
        List<File> published = ExporterRun.published(answer, !debug.get())
        folders().each { String kind, File folder ->
            fileSystem.sync { CopySpec spec ->
                spec.from(published.collect { File each -> new File(each, kind) })
                spec.into(folder)
                spec.duplicatesStrategy = DuplicatesStrategy.FAIL
            }
        }
    }
}

/** Golden vectors for a test's assets: the Android plugin gives each task one folder of assets, so they need another. */
@CompileStatic
@DisableCachingByDefault(because = 'it copies')
abstract class TakeGoldenVectors extends DefaultTask {
    @InputDirectory @PathSensitive(PathSensitivity.RELATIVE) abstract DirectoryProperty getVectors()
    @OutputDirectory abstract DirectoryProperty getAssets()
    @Inject abstract FileSystemOperations getFileSystem()

    @TaskAction
    void take() {
        fileSystem.sync { CopySpec spec -> spec.from(vectors).into(assets) }
    }
}

/** Runs mobile-export. */
@CompileStatic
class Exporter {
    static String run(ExecOperations operations, Logger logger, File executable, List<String> arguments) {
        List<String> command = [ExporterRun.executable(executable).path] + arguments
        ByteArrayOutputStream answer = new ByteArrayOutputStream(), said = new ByteArrayOutputStream()
        ExecResult result = operations.exec { ExecSpec spec ->
            spec.commandLine(command)
            spec.standardOutput = answer
            spec.errorOutput = said
            spec.ignoreExitValue = true
        }
        String text = answer.toString('UTF-8'), notes = said.toString('UTF-8')
        if (result.exitValue != 0) throw ExporterRun.failure(command, result.exitValue, text, notes)
        ExporterRun.warnings(notes).each { String line -> logger.warn(line) }
        return text
    }
}

/** Fails when models in an APK are missing or compressed. */
@CompileStatic
@CacheableTask
abstract class CheckPackagedModels extends DefaultTask {
    @InputDirectory @PathSensitive(PathSensitivity.RELATIVE) abstract DirectoryProperty getAssets()
    @InputFiles @PathSensitive(PathSensitivity.NONE) abstract DirectoryProperty getApks()
    @Input abstract ListProperty<String> getSuffixes()
    @OutputFile abstract RegularFileProperty getReport()

    @TaskAction
    void check() {
        Set<File> found = apks.get().asFileTree.matching { PatternFilterable it -> it.include('**/*.apk') }.files
        found.each { File apk -> PackagedModels.check(apk, assets.get().asFile, suffixes.get()) }
        report.get().asFile.text = found*.name.sort().join('\n') + '\n'
    }
}

def suffixes = [{{ suffixes }}]

def settings = extensions.create('mobileExport', MobileExportExtension)
def property = { String name -> providers.gradleProperty("mobileExport.${name}") }
def listed = { Provider<String> text -> text.map { ModelSettings.listed(it) } }
settings.mode.convention(property('mode').orElse('locked'))
def lock = ModelSettings.lock(projectDir, rootDir).path
settings.lock.convention(layout.projectDirectory.file(property('lock').orElse(lock)))
settings.executable.convention(layout.projectDirectory.file(property('executable')))
settings.targets.convention(listed(property('targets')).orElse([]))
settings.gate.convention(property('gate').orElse('closed'))

def targetsOf = { List<String> flavorNames ->
    def own = flavorNames.collectMany { name ->
        settings.flavors.getting(name).orElse(listed(property("targets.${name}"))).getOrElse([])
    }
    own ?: settings.targets.get()
}

def placed = { ExportModels task, String folder ->
    def root = layout.buildDirectory.dir("generated/mobile_export/${folder}")
    task.description = 'Brings models, generated code and golden vectors into the build.'
    task.group = 'mobile-export'
    task.assets.convention(root.map { it.dir('assets') })
    task.kotlin.convention(root.map { it.dir('kotlin') })
    task.testAssets.convention(root.map { it.dir('test_assets') })
}

// Registers the task that brings the models of a variant, and what it depends on.
def register = { String name, List<String> chosen, boolean debug ->
    if (ModelSettings.locked(settings.mode.get())) {
        def offline = gradle.startParameter.offline
        return tasks.register("export${name.capitalize()}Models", ExportLockedModels) { task ->
            placed(task, name)
            task.lock.set(settings.lock)
            task.targets.set(chosen)
            task.downloads.set(layout.buildDirectory.dir('mobile_export/downloads'))
            task.offline.set(offline)
            def file = settings.lock.get().asFile
            task.local.from(providers.fileContents(settings.lock).asText.map { text ->
                LockedModels.local(file, text, chosen)
            }.orElse([]))
        }
    }
    ModelSettings.mustName(chosen, name)
    def targetFiles = chosen.collect { file(it) }
    def listing = tasks.register("list${name.capitalize()}ModelInputs", ListModelInputs) { task ->
        task.executable.set(settings.executable)
        task.targets.set(targetFiles)
        task.files.set(layout.buildDirectory.file("intermediates/mobile_export/${name}/inputs.txt"))
        task.tools.set(layout.buildDirectory.file("intermediates/mobile_export/${name}/tools.txt"))
    }
    return tasks.register("export${name.capitalize()}Models", ExportBuiltModels) { task ->
        placed(task, name)
        task.executable.set(settings.executable)
        task.targets.set(chosen)
        task.targetFiles.set(targetFiles)
        def here = projectDir
        def sources = listing.flatMap { it.files }.map { ModelSettings.files(it.asFile, here) }
        task.sources.from(sources)
        task.namesakes.from(sources.map { ModelSettings.namesakes(it) })
        task.inventory.set(listing.flatMap { it.files })
        task.tools.set(listing.flatMap { it.tools })
        task.gate.set(settings.gate)
        task.debug.set(debug)
    }
}

// The Android plugin 8.3 and later tell it of a variant; of one that is not told, it is not so.
def debuggable = { variant -> variant.hasProperty('debuggable') && variant.debuggable }

def android = { boolean application ->
    androidComponents.finalizeDsl { dsl -> dsl.androidResources.noCompress.addAll(suffixes) }
    androidComponents.onVariants(androidComponents.selector().all()) { variant ->
        def flavorNames = variant.productFlavors.collect { it.second }
        def task = register(variant.name, targetsOf(flavorNames), debuggable(variant))
        variant.sources.assets?.addGeneratedSourceDirectory(task) { it.assets }
        (variant.sources.kotlin ?: variant.sources.java)?.addGeneratedSourceDirectory(task) { it.kotlin }
        def vectors = tasks.register("take${variant.name.capitalize()}GoldenVectors", TakeGoldenVectors) {
            it.vectors.set(task.flatMap { it.testAssets })
        }
        variant.androidTest?.sources?.assets?.addGeneratedSourceDirectory(vectors) { it.assets }
        if (!application) return
        // A script that is applied does not see the Android plugin's classes by name.
        def artifact = variant.class.classLoader.loadClass('com.android.build.api.artifact.SingleArtifact$APK')
        def apk = artifact.getField('INSTANCE').get(null)
        def check = tasks.register("check${variant.name.capitalize()}Models", CheckPackagedModels) {
            it.assets.set(task.flatMap { it.assets })
            it.apks.set(variant.artifacts.get(apk))
            it.suffixes.set(suffixes)
            it.report.set(layout.buildDirectory.file("intermediates/mobile_export/${variant.name}/checked.txt"))
        }
        tasks.matching { it.name == "assemble${variant.name.capitalize()}" }.configureEach { it.dependsOn(check) }
    }
}

pluginManager.withPlugin('com.android.application') { android(true) }
pluginManager.withPlugin('com.android.library') { android(false) }
pluginManager.withPlugin('java') {
    afterEvaluate { register('main', settings.targets.get(), false) }
}

{% include "gradle/core.groovy" %}
