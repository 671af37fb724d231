// Models of mobile-export in an Android app's build, for Gradle 4.4 with Android plugin 2.2: the stand-in for
// mobile-export.gradle with which a real Android plugin is tested, since newer ones cannot be installed everywhere. It
// has the settings, tasks and messages of mobile-export.gradle, and the same second half word for word.
// Written by "mobile-export gradle --gradle4 --write"; write it again rather than edit.
//
//     apply from: 'mobile-export-gradle4.gradle'

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
import javax.net.ssl.SSLException

/** What the app's build says. */
class MobileExportExtension {
    String mode = 'locked'
    File lock
    File executable
    List<String> targets = []
    Map<String, List<String>> flavors = [:]
    String gate = 'closed'
}

/** Brings models, generated code and golden vectors to where the variant takes them from. */
abstract class ExportModels extends DefaultTask {
    @OutputDirectory File assets
    @OutputDirectory File kotlin
    @OutputDirectory File testAssets
    @Input List<String> targets

    protected Map<String, File> folders() { [assets: assets, kotlin: kotlin, test_assets: testAssets] }
}

/** Verifies and copies or fetches what a lock names; runs nothing. */
@CacheableTask
class ExportLockedModels extends ExportModels {
    /** May be missing: what to do then, the task says better than Gradle. */
    @InputFiles @PathSensitive(PathSensitivity.NONE) File lock
    @Internal File downloads

    /** The locked files, as far as they lie in folders here. */
    @InputFiles @PathSensitive(PathSensitivity.NONE) List<File> getLocal() {
        lock.file ? LockedModels.local(lock, lock.getText('UTF-8'), targets) : []
    }

    @TaskAction
    void export() {
        def offline = project.gradle.startParameter.offline
        def shared = new Downloads(downloads, offline, { logger.lifecycle(it) } as Consumer)
        new LockedModels(lock, shared).place(targets, folders())
    }
}

/** Runs mobile-export. */
class Exporter {
    static String run(Project project, File executable, List<String> arguments) {
        def command = [ExporterRun.executable(executable).path] + arguments
        def answer = new ByteArrayOutputStream(), said = new ByteArrayOutputStream()
        def result = project.exec {
            commandLine command
            standardOutput = answer
            errorOutput = said
            ignoreExitValue = true
        }
        def text = answer.toString('UTF-8'), notes = said.toString('UTF-8')
        if (result.exitValue != 0) throw ExporterRun.failure(command, result.exitValue, text, notes)
        ExporterRun.warnings(notes).each { project.logger.warn(it) }
        return text
    }
}

/** Asks the exporter which files a build of the targets reads, and what it is itself. */
class ListModelInputs extends DefaultTask {
    @Internal File executable
    @Internal List<File> targetFiles
    @OutputFile File files
    @OutputFile File tools

    @TaskAction
    void list() {
        files.setText(answer(['build', '--print-inputs'] + targetFiles*.path), 'UTF-8')
        tools.setText(answer(['doctor', '--format', 'json']), 'UTF-8')
    }

    private String answer(List<String> arguments) { Exporter.run(project, executable, arguments) }
}

/** Converts, checks and publishes targets, and takes what was published. */
@CacheableTask
class ExportBuiltModels extends ExportModels {
    @Internal File executable
    @Internal List<File> targetFiles
    @InputFile @PathSensitive(PathSensitivity.NONE) File tools
    @Input String gate
    @Input boolean debug

    /** Everything that the targets read, themselves included: known when ListModelInputs has run. */
    @InputFiles @PathSensitive(PathSensitivity.RELATIVE) List<File> getSources() {
        inventory.file ? ModelSettings.files(inventory, project.projectDir) : []
    }
    @InputFiles @PathSensitive(PathSensitivity.ABSOLUTE) List<File> getNamesakes() { ModelSettings.namesakes(sources) }
    /** Their paths: an image that moves to another class keeps its name and bytes. */
    @InputFile @PathSensitive(PathSensitivity.NONE) File inventory

    @TaskAction
    void export() {
        def wanted = ModelSettings.gate(gate, debug, name)
        def out = new File(temporaryDir, 'published')
        def arguments = ['build', '--out', out.path, '--gate', wanted, '--format', 'json']
        def published = ExporterRun.published(Exporter.run(project, executable, arguments + targetFiles*.path), !debug)
        folders().each { kind, folder ->
            project.sync {
                from published.collect { new File(it, kind) }
                into folder
                duplicatesStrategy = 'fail'
            }
        }
    }
}

/** Fails when models in an APK are missing or compressed. */
@CacheableTask
class CheckPackagedModels extends DefaultTask {
    @InputDirectory @PathSensitive(PathSensitivity.RELATIVE) File assets
    @InputFile @PathSensitive(PathSensitivity.NONE) File apk
    @Input List<String> suffixes
    @OutputFile File report

    @TaskAction
    void check() {
        PackagedModels.check(apk, assets, suffixes)
        report.text = "${apk.name}\n"
    }
}

def modelSuffixes = [{{ suffixes }}]

def settings = extensions.create('mobileExport', MobileExportExtension)
def property = { String name -> findProperty("mobileExport.${name}") }
settings.mode = property('mode') ?: 'locked'
settings.lock = property('lock') ? file(property('lock')) : ModelSettings.lock(projectDir, rootDir)
settings.executable = property('executable') ? file(property('executable')) : null
settings.targets = ModelSettings.listed(property('targets'))
settings.gate = property('gate') ?: 'closed'

def targetsOf = { List<String> flavorNames ->
    def own = flavorNames.collectMany { settings.flavors[it] ?: ModelSettings.listed(property("targets.${it}")) }
    own ?: settings.targets
}

def placed = { ExportModels task, String folder, List<String> chosen ->
    task.description = 'Brings models, generated code and golden vectors into the build.'
    task.group = 'mobile-export'
    task.targets = chosen
    task.assets = file("$buildDir/generated/mobile_export/${folder}/assets")
    task.kotlin = file("$buildDir/generated/mobile_export/${folder}/kotlin")
    task.testAssets = file("$buildDir/generated/mobile_export/${folder}/test_assets")
}

// The task that brings the models of a variant.
def register = { String name, List<String> chosen, boolean debugging ->
    if (ModelSettings.locked(settings.mode))
        return tasks.create("export${name.capitalize()}Models", ExportLockedModels) {
            placed(it, name, chosen)
            lock = settings.lock
            downloads = project.file("$buildDir/mobile_export/downloads")
        }
    ModelSettings.mustName(chosen, name)
    def listing = tasks.create("list${name.capitalize()}ModelInputs", ListModelInputs) {
        executable = settings.executable
        targetFiles = chosen.collect { project.file(it) }
        files = project.file("$buildDir/intermediates/mobile_export/${name}/inputs.txt")
        tools = project.file("$buildDir/intermediates/mobile_export/${name}/tools.txt")
        outputs.upToDateWhen { false }
    }
    return tasks.create("export${name.capitalize()}Models", ExportBuiltModels) {
        placed(it, name, chosen)
        dependsOn listing
        executable = settings.executable
        targetFiles = listing.targetFiles
        inventory = listing.files
        tools = listing.tools
        gate = settings.gate
        debug = debugging
    }
}

def android = { boolean application, variants ->
    project.android.aaptOptions.noCompress(*modelSuffixes)
    variants.all { variant ->
        def task = register(variant.name, targetsOf(variant.productFlavors*.name), variant.buildType.debuggable)
        project.android.sourceSets.getByName(variant.name).assets.srcDir(task.assets)
        variant.mergeAssets.dependsOn(task)
        variant.registerJavaGeneratingTask(task, task.kotlin)
        if (variant.testVariant != null) {
            def tests = variant.testVariant.sourceSets.last().name
            project.android.sourceSets.getByName(tests).assets.srcDir(task.testAssets)
            variant.testVariant.mergeAssets.dependsOn(task)
        }
        if (!application) return
        variant.outputs.each { output ->
            def check = tasks.create("check${variant.name.capitalize()}Models", CheckPackagedModels) {
                dependsOn variant.mergeAssets, output.packageApplication
                assets = task.assets
                apk = output.outputFile
                suffixes = modelSuffixes
                report = project.file("$buildDir/intermediates/mobile_export/${variant.name}/checked.txt")
            }
            variant.assemble.dependsOn(check)
        }
    }
}

pluginManager.withPlugin('com.android.application') { android(true, project.android.applicationVariants) }
pluginManager.withPlugin('com.android.library') { android(false, project.android.libraryVariants) }
pluginManager.withPlugin('java') { afterEvaluate { register('main', settings.targets, false) } }

{% include "gradle/core.groovy" %}
