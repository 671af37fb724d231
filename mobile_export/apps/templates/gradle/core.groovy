// ---- What knows nothing of Gradle: settings, the lock and the files that it names, how the exporter's end is told.
// ---- It is the same text in the scripts for Gradle 4.4 and for today's.

/** What settings may be. */
@CompileStatic
class ModelSettings {
    static final String LOCK = 'mobile-export.lock'

    /** The lock that lies beside the build file, or else at the root of the whole build. */
    static File lock(File project, File root) {
        File beside = new File(project, LOCK), above = new File(root, LOCK)
        return above.file && !beside.file ? above : beside
    }

    static List<String> listed(String text) {
        List<String> parts = text == null ? [] : (text.split(',') as List<String>)
        return parts.collect { String part -> part.trim() }.findAll { String part -> !part.empty }
    }

    static boolean locked(String mode) {
        if (mode in ['locked', 'build']) return mode == 'locked'
        throw new GradleException("mobileExport { mode = '${mode}' }: it is 'locked' or 'build'")
    }

    static void mustName(List<String> targetFiles, String variant) {
        if (targetFiles.empty)
            throw new GradleException("${variant}: mode = 'build' needs target files: "
                + "mobileExport { targets = ['targets/android.toml'] }")
    }

    /** A debug build may take what missed a limit; no other can. */
    static String gate(String wanted, boolean debug, String task) {
        if (!(wanted in ['closed', 'warn']))
            throw new GradleException("mobileExport { gate = '${wanted}' }: it is 'closed' or 'warn'")
        if (wanted == 'warn' && !debug)
            throw new GradleException("${task}: gate = 'warn' publishes models that missed a limit, so it is for debug "
                + "builds alone; build a release with gate = 'closed'")
        return wanted
    }
}

/** One file that a lock names. */
class LockedFile {
    String sha256
    long bytes
    String path

    String getKind() { path.substring(0, path.indexOf('/')) }

    /** Its path in the folder of its kind, as the app knows it. */
    String getName() { path.substring(path.indexOf('/') + 1) }
}

/** One target of a lock: its files, and where they are looked for, in this order. */
class LockedTarget {
    String name
    List<String> sources = []
    List<LockedFile> files = []
}

/** A lock file, read. */
@CompileStatic
class ModelLock {
    static final String HEADER = 'mobile-export-lock 1'
    static final Pattern FILE = Pattern.compile('([0-9a-f]{64}) (0|[1-9][0-9]{0,15}) ([A-Za-z0-9_./-]+)')
    static final List<String> KINDS = ['assets', 'kotlin', 'swift', 'test_assets']

    final String place
    final List<LockedTarget> targets = []

    /** @param place where the text stands, for messages */
    ModelLock(String text, String place) {
        this.place = place
        boolean begun = false
        text.readLines().eachWithIndex { String line, int index ->
            if (line.empty || line.startsWith('#')) return
            String problem = begun ? take(line) : begin(line)
            if (problem != null) throw new GradleException("${place}:${index + 1}: ${problem}")
            begun = true
        }
        if (targets.empty) throw new GradleException("${place}: has no target; write it with: mobile-export lock")
    }

    /** The targets of these names; the only one where none are named. */
    List<LockedTarget> chosen(List<String> names) {
        if (names.empty && targets.size() == 1) return targets
        String all = targets*.name.join(', ')
        if (names.empty)
            throw new GradleException("${place}: has the targets ${all}; name those of this app: "
                + "mobileExport { targets = ['${targets[0].name}'] }")
        return names.collect { String name ->
            LockedTarget found = targets.find { it.name == name }
            if (found == null) throw new GradleException("${place}: has no target ${name}; it has ${all}")
            return found
        }
    }

    private static String begin(String line) {
        return line == HEADER ? null
            : "is no lock, or a newer one: its first line is not \"${HEADER}\"; write the Gradle script again, too"
    }

    /** Takes a line in; what is wrong with it, null where nothing is. */
    private String take(String line) {
        int space = line.indexOf(' ')
        String keyword = space < 0 ? line : line.substring(0, space), rest = line.substring(space + 1)
        if (keyword == 'target' && rest ==~ /[a-z0-9][a-z0-9_]*/) {
            targets << new LockedTarget(name: rest)
            return null
        }
        if (targets.empty) return 'comes before the first target'
        if (keyword == 'file') return takeFile(FILE.matcher(rest))
        if (keyword != 'from') return 'is no line of a lock; lock again'
        targets.last().sources << rest
        return null
    }

    private String takeFile(Matcher fields) {
        if (!fields.matches()) return 'is no line of a lock; lock again'
        String path = fields.group(3)
        List<String> parts = path.split('/', -1) as List<String>
        boolean inside = parts.size() > 1 && KINDS.contains(parts[0]) && !parts.any { it ==~ /\.*/ }
        if (!inside) return "${path} is no path of a lock"
        long bytes = Long.parseLong(fields.group(2))
        targets.last().files << new LockedFile(sha256: fields.group(1), bytes: bytes, path: path)
        return null
    }
}

/** Puts the files of a lock where the app's build looks for them. */
@CompileStatic
class LockedModels {
    static final int BUFFER = 1 << 16

    final File lock
    final File partial
    final boolean offline
    final Consumer<String> log

    /**
     * @param partial where downloads wait until they are whole; kept between builds
     * @param log takes a line for each file that is fetched
     */
    LockedModels(File lock, File partial, boolean offline, Consumer<String> log) {
        this.lock = lock
        this.partial = partial
        this.offline = offline
        this.log = log
    }

    /** Where in folders here the files of these targets may be. */
    static List<File> local(File lock, List<LockedTarget> targets) {
        List<File> found = []
        for (LockedTarget target : targets)
            for (String source : target.sources)
                if (!remote(source))
                    found.addAll(target.files.collect { LockedFile file -> inFolder(lock, source, file) })
        return found
    }

    /** Brings each folder to hold the locked files of its kind, and nothing else. */
    void place(List<LockedTarget> targets, Map<String, File> folders) {
        folders.each { String kind, File folder ->
            Map<String, LockedTarget> taken = [:]
            for (LockedTarget target : targets)
                for (LockedFile file : target.files.findAll { it.kind == kind }) {
                    LockedTarget other = taken.put(file.name, target)
                    if (other != null)
                        throw new GradleException("${lock}: ${other.name} and ${target.name} both have ${file.path}; "
                            + 'an app takes one of them')
                    bring(file, target, new File(folder, file.name))
                }
            sweep(folder, taken.keySet().collect { String name -> new File(folder, name) } as Set<File>)
        }
    }

    private void bring(LockedFile file, LockedTarget target, File to) {
        List<String> failures = []
        for (String source : target.sources) {
            String failure = bringFrom(source, file, to)
            if (failure == null) return
            failures << failure
        }
        if (failures.empty) failures << 'the lock names no place to take it from'
        throw new GradleException("${lock}: ${file.path} of target ${target.name} is nowhere as it is locked:\n"
            + failures.collect { "  ${it}\n" }.join('')
            + 'Restore it there, or build and lock again: mobile-export lock')
    }

    /** Why a file could not be brought from there; null when it was. */
    private String bringFrom(String source, LockedFile file, File to) {
        // What is there already is not fetched again; what lies here is looked at whatever an earlier build took.
        if (remote(source) && problem(to, file) == null) return null
        File beside = new File(to.path + '.new')
        try {
            Files.createDirectories(to.parentFile.toPath())
            if (remote(source)) replace(download(source, file), beside)
            else Files.copy(inFolder(lock, source, file).toPath(), beside.toPath(), StandardCopyOption.REPLACE_EXISTING)
            String wrong = problem(beside, file)
            if (wrong == null) replace(beside, to)
            else beside.delete()
            return wrong == null ? null : "${location(source, file)} ${wrong}"
        } catch (NoSuchFileException missing) {
            return "${missing.file} is not there"
        } catch (IOException error) {
            return "${location(source, file)}: ${error.message ?: error.class.simpleName}"
        }
    }

    private static void replace(File file, File by) {
        Files.move(file.toPath(), by.toPath(), StandardCopyOption.REPLACE_EXISTING)
    }

    /** A whole download, not yet hashed; it goes on where an earlier one was cut off. */
    private File download(String source, LockedFile file) {
        File part = new File(partial, file.sha256)
        if (part.length() == file.bytes) return part
        if (offline) throw new IOException('Gradle is offline')
        Files.createDirectories(partial.toPath())
        if (part.length() > file.bytes) part.delete()
        long have = part.length()
        String url = location(source, file)
        log.accept("fetching ${url}${have > 0 ? " from byte ${have} on" : ''}".toString())
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection()
        connection.connectTimeout = 30_000
        connection.readTimeout = 60_000
        if (have > 0) connection.setRequestProperty('Range', "bytes=${have}-")
        try {
            int status = connection.responseCode
            if (status == 416) part.delete()
            if (status != 200 && status != 206) throw new IOException("the server answers ${status}")
            long wanted = status == 206 ? file.bytes - have : file.bytes
            new FileOutputStream(part, status == 206).withCloseable { OutputStream out ->
                copy(connection.inputStream, out, wanted)
            }
        } finally {
            connection.disconnect()
        }
        if (part.length() >= file.bytes) return part
        throw new IOException("ended after ${part.length()} of ${file.bytes} bytes; the next build goes on from there")
    }

    /** Copies up to one byte more than is wanted: enough to see that there is more. */
    private static void copy(InputStream from, OutputStream to, long wanted) {
        byte[] buffer = new byte[BUFFER]
        for (long left = wanted + 1; left > 0;) {
            int count = from.read(buffer, 0, (int) Math.min((long) BUFFER, left))
            if (count < 0) return
            to.write(buffer, 0, count)
            left -= count
        }
    }

    /** Why this is not the locked file; null when it is. */
    private static String problem(File at, LockedFile file) {
        if (!at.file) return 'is not there'
        if (at.length() != file.bytes) return "has ${at.length()} bytes, not ${file.bytes}"
        String hash = sha256(at)
        return hash == file.sha256 ? null : "has the hash ${hash}, not ${file.sha256}"
    }

    private static String sha256(File file) {
        MessageDigest digest = MessageDigest.getInstance('SHA-256')
        file.withInputStream { InputStream stream ->
            byte[] buffer = new byte[BUFFER]
            for (int count; (count = stream.read(buffer)) >= 0;) digest.update(buffer, 0, count)
        }
        return digest.digest().encodeHex().toString()
    }

    private static void sweep(File folder, Set<File> keep) {
        Files.createDirectories(folder.toPath())
        folder.eachFileRecurse { File file -> if (file.file && !keep.contains(file)) file.delete() }
    }

    private static boolean remote(String source) { source ==~ /(?i)https?:.*/ }

    private static File inFolder(File lock, String source, LockedFile file) {
        String where = location(source, file)
        return where ==~ /(?i)file:.*/ ? new File(new URI(where)) : lock.toPath().resolveSibling(where).toFile()
    }

    private static String location(String source, LockedFile file) {
        if (source.contains('{sha256}')) return source.replace('{sha256}', file.sha256)
        return source.replaceAll('/+$', '') + '/' + file.path
    }
}

/** How the exporter is started, and how it ended. */
@CompileStatic
class ExporterRun {
    static final Map<Integer, String> MEANINGS = [
        1: 'a file missed a limit, or the data is wrong; nothing was published',
        2: 'the command line or a target file is wrong',
        3: 'the model or the data cannot be read, or is not what the target says',
        4: 'a converter failed',
        5: 'a package is missing',
        6: 'the output cannot be written',
        70: 'a bug of mobile-export',
        130: 'interrupted',
    ]

    /** The file to start. It is never looked for on PATH, which differs with the shell that started Gradle. */
    static File executable(File file) {
        if (file == null)
            throw new GradleException("mode = 'build' needs "
                + "mobileExport { executable = file('../.venv/bin/mobile-export') }")
        if (!file.file)
            throw new GradleException("${file}: is not there; set mobileExport { executable = … } to the mobile-export "
                + "of a virtual environment, or use mode = 'locked'")
        return file
    }

    /** What a command warns of, which is read although it went well. */
    static List<String> warnings(String said) {
        return said.readLines().findAll { String line -> line.startsWith('warning: ') }
    }

    /** What a failed command says, without its progress, under what its exit code means. */
    static GradleException failure(List<String> command, int code, String answer, String said) {
        List<String> lines = said.readLines()
        int first = lines.findIndexOf { String line -> line.startsWith('error: ') }
        List<String> reasons = missed(answer) + lines.drop(Math.max(first, 0))
        return new GradleException("${MEANINGS[code] ?: 'mobile-export failed'} (exit code ${code})\n"
            + reasons.collect { String line -> "  ${line.replaceFirst('^error: ', '')}\n" }.join('')
            + "\n${command.join(' ')}")
    }

    /** The limits that files missed, as far as the answer in JSON tells. */
    @CompileDynamic
    private static List<String> missed(String answer) {
        def outcomes = answer.startsWith('[') ? new JsonSlurper().parseText(answer) : []
        return outcomes.collectMany { it.manifest?.artifacts ?: [] }.collectMany { artifact ->
            artifact.checks.findAll { !it.passed }.collect { "${artifact.name}: ${missed(it)}".toString() }
        }
    }

    @CompileDynamic
    private static String missed(Map check) {
        def bound = check.at_least ? 'at least' : 'at most'
        return "${check.name} is ${shown(check.value)}, and has to be ${bound} ${shown(check.limit)}"
    }

    private static String shown(Object number) {
        return number instanceof BigDecimal ? ((BigDecimal) number).round(new MathContext(4)).toPlainString() : "${number}"
    }

    /** The folders that a build published, from its answer in JSON; a release takes none published with a warning. */
    static List<File> published(String answer, boolean release) {
        List<Map> outcomes = (List<Map>) new JsonSlurper().parseText(answer)
        return outcomes.collect { Map outcome ->
            if (release && ((Map) outcome.get('manifest')).get('gate') == 'warn')
                throw new GradleException("target ${outcome.get('target')} was published although it missed limits; "
                    + 'a release cannot take it')
            return new File((String) outcome.get('folder'))
        }
    }
}

/** What is wrong with the models in an APK: each exported asset has to be there, whole and not compressed. */
@CompileStatic
class PackagedModels {
    static void check(File apk, File assets, List<String> suffixes) {
        List<String> wrong = []
        new ZipFile(apk).withCloseable { ZipFile zip ->
            assets.eachFileRecurse { File file ->
                String name = 'assets/' + assets.toPath().relativize(file.toPath()).join('/')
                String problem = file.file ? problem(zip.getEntry(name), file, suffixes) : null
                if (problem != null) wrong << "${name} ${problem}".toString()
            }
        }
        if (wrong.empty) return
        String listed = suffixes.collect { "'${it}'" }.join(', ')
        throw new GradleException("${apk}: runtimes cannot map its models: ${wrong.join(', ')}; "
            + "the application's build needs\n    android { androidResources { noCompress += [${listed}] } }")
    }

    private static String problem(ZipEntry entry, File file, List<String> suffixes) {
        if (entry == null) return 'is not in it'
        if (entry.size != file.length()) return "has ${entry.size} bytes, not ${file.length()}"
        boolean mapped = suffixes.any { String suffix -> file.name.endsWith('.' + suffix) }
        return mapped && entry.method != ZipEntry.STORED ? 'is compressed' : null
    }
}
