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

    /** The files that a list names, a path a line, from a folder on. */
    static List<File> files(File list, File folder) {
        return list.readLines('UTF-8').collect { String path -> folder.toPath().resolve(path).toFile() }
    }

    /** Files whose name others have, too: only their whole paths tell them apart. */
    static List<File> namesakes(List<File> files) {
        Collection<List<File>> named = files.groupBy { File file -> file.name }.values()
        return named.findAll { List<File> each -> each.size() > 1 }.sum([]) as List<File>
    }

    static void mustName(List<String> targetFiles, String variant) {
        if (targetFiles.empty)
            throw new GradleException("${variant}: mode = 'build' needs target files: "
                + "mobileExport { targets = ['targets/android.toml'] }")
    }

    /** What can be debugged may have models that missed a limit; nothing else can. */
    static String gate(String wanted, boolean debug, String task) {
        if (!(wanted in ['closed', 'warn']))
            throw new GradleException("mobileExport { gate = '${wanted}' }: it is 'closed' or 'warn'")
        if (wanted == 'warn' && !debug)
            throw new GradleException("${task}: gate = 'warn' publishes models that missed a limit, so it is for "
                + "builds alone that the Android plugin calls debuggable; build a release with gate = 'closed'")
        return wanted
    }
}

/** One file that a lock names. */
@CompileStatic
class LockedFile {
    String sha256
    long bytes
    String path

    String getKind() { path.substring(0, path.indexOf('/')) }

    /** Its path in the folder of its kind, as the app knows it. */
    String getName() { path.substring(path.indexOf('/') + 1) }

    /** Why a file is not this one; null when it is. */
    String problem(File at) {
        if (!at.file) return 'is not there'
        if (at.length() != bytes) return "has ${at.length()} bytes, not ${bytes}"
        MessageDigest digest = MessageDigest.getInstance('SHA-256')
        at.withInputStream { InputStream stream ->
            byte[] buffer = new byte[1 << 16]
            for (int count; (count = stream.read(buffer)) >= 0;) digest.update(buffer, 0, count)
        }
        String hash = digest.digest().encodeHex().toString()
        return hash == sha256 ? null : "has the hash ${hash}, not ${sha256}"
    }
}

/** One target of a lock: its files, and where they are looked for, in this order. */
class LockedTarget {
    String name
    List<String> sources = []
    List<LockedFile> files = []
}

/** A lock file, read. What the exporter itself refuses is refused here, too: docs/locked.md has the grammar. */
@CompileStatic
class ModelLock {
    static final String HEADER = 'mobile-export-lock 1'
    static final int MOST_TEXT = 1 << 24
    static final long MOST_BYTES = 1L << 40
    static final Pattern TARGET = Pattern.compile('[a-z0-9][a-z0-9_]*')
    static final Pattern FILE = Pattern.compile('([0-9a-f]{64}) (0|[1-9][0-9]{0,15}) ([A-Za-z0-9_./-]+)')
    static final Pattern DEVICE = Pattern.compile('(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])([.].*)?')
    static final List<String> KINDS = ['assets', 'kotlin', 'swift', 'test_assets']

    final String place
    final List<LockedTarget> targets = []
    /** The line of the target that is read. */
    private int begunAt = 0
    /** Paths of its files, and of the folders that they are in, in lower case. */
    private Set<String> taken = [] as Set<String>, folders = [] as Set<String>

    static ModelLock of(File file) {
        if (!file.file) throw new GradleException("${file}: is not there; mobile-export lock writes it")
        if (file.length() > MOST_TEXT) throw new GradleException("${file}: is larger than any lock; lock again")
        try {
            String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(file.bytes)).toString()
            return new ModelLock(text, file.path)
        } catch (CharacterCodingException ignored) {
            throw new GradleException("${file}: is no text in UTF-8; lock again")
        } catch (IOException error) {
            throw new GradleException("${file}: cannot be read: ${error.message}")
        }
    }

    /** @param place where the text stands, for messages */
    ModelLock(String text, String place) {
        this.place = place
        boolean begun = false
        List<String> lines = text.split('\n', -1) as List<String>
        lines.eachWithIndex { String each, int index ->
            String line = each.endsWith('\r') ? each.substring(0, each.length() - 1) : each
            if (line.empty || line.startsWith('#')) return
            if (!begun) refuse(begin(line), index + 1)
            else take(line, index + 1)
            begun = true
        }
        if (!begun) refuse(begin(''), 1)
        endTarget()
    }

    /** The targets of these names; the only one where none are named. */
    List<LockedTarget> chosen(List<String> names) {
        if (names.empty && targets.size() == 1) return targets
        String all = targets*.name.join(', ')
        if (targets.empty) throw new GradleException("${place}: has no target; write it with: mobile-export lock")
        if (names.empty)
            throw new GradleException("${place}: has the targets ${all}; name those of this app: "
                + "mobileExport { targets = ['${targets[0].name}'] }")
        return names.collect { String name ->
            LockedTarget found = targets.find { it.name == name }
            if (found == null) throw new GradleException("${place}: has no target ${name}; it has ${all}")
            return found
        }
    }

    private void refuse(String problem, int number) {
        if (problem != null) throw new GradleException("${place}:${number}: ${problem}")
    }

    private static String begin(String line) {
        return line == HEADER ? null
            : "is no lock, or a newer one: its first line is not \"${HEADER}\"; write the Gradle script again, too"
    }

    /** Takes a line in. */
    private void take(String line, int number) {
        int space = line.indexOf(' ')
        String keyword = space < 0 ? line : line.substring(0, space), rest = space < 0 ? '' : line.substring(space + 1)
        if (keyword == 'target') {
            endTarget()
            begunAt = number
        }
        refuse(problem(keyword, rest), number)
    }

    /** What is wrong with a line, null where nothing is. */
    private String problem(String keyword, String rest) {
        if (keyword == 'target') return takeTarget(rest)
        if (!(keyword in ['from', 'file'])) return 'is no line of a lock: those begin with target, from, file; lock again'
        if (targets.empty) return 'comes before the first target'
        return keyword == 'from' ? takeSource(rest) : takeFile(FILE.matcher(rest))
    }

    private void endTarget() {
        if (!targets.empty && targets.last().files.empty)
            refuse("target ${targets.last().name} has no file; lock again", begunAt)
    }

    private String takeTarget(String name) {
        if (!TARGET.matcher(name).matches() || DEVICE.matcher(name).matches()) return "'${name}' is no name of a target"
        if (targets*.name.contains(name)) return "target ${name} stands here twice; lock it again"
        targets << new LockedTarget(name: name)
        taken.clear()
        folders.clear()
        return null
    }

    private String takeSource(String source) {
        if (!targets.last().files.empty) return 'from stands before the files of its target'
        targets.last().sources << source
        return ModelSource.problem(source)
    }

    private String takeFile(Matcher fields) {
        if (!fields.matches())
            return 'is no line of a lock: file, sha256 (64 lower-case hex digits), bytes, path, one space between them'
        long bytes = Long.parseLong(fields.group(2))
        if (bytes > MOST_BYTES) return "${bytes} bytes are more than any model has"
        LockedFile file = new LockedFile(sha256: fields.group(1), bytes: bytes, path: fields.group(3))
        targets.last().files << file
        return pathProblem(file.path) ?: clash(file.path.toLowerCase(Locale.ROOT))
    }

    private static String pathProblem(String path) {
        List<String> parts = path.split('/', -1) as List<String>
        boolean inside = parts.size() > 1 && KINDS.contains(parts[0])
        boolean plain = parts.every { !it.empty && !it.endsWith('.') && !DEVICE.matcher(it).matches() }
        return inside && plain ? null : "${path} is no path of a lock"
    }

    /** Disks of macOS and Windows take names that differ by case alone for the same. */
    private String clash(String path) {
        List<String> parents = []
        for (int at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) parents << path.substring(0, at)
        if (taken.contains(path) || folders.contains(path) || parents.any { String each -> taken.contains(each) })
            return "${path} stands here twice, as a file or as its folder, for disks that ignore case"
        taken << path
        folders.addAll(parents)
        return null
    }
}

/** A `from` of a lock: a URL, or a folder. */
@CompileStatic
class ModelSource {
    static final String BY_HASH = '{sha256}'
    static final Pattern CONTROL = Pattern.compile('[\\x00-\\x1f\\x7f]')
    static final Pattern HTTP_URL = Pattern.compile(
        'https?://(\\[[0-9A-Fa-f:.]+\\]|[^\\]\\[/?#@: ]+)(:[0-9]{1,5})?([/?#][^ ]*)?')
    static final Pattern FILE_URL = Pattern.compile('file://(?:localhost)?(/[^/?# ][^?# ]*)')

    /** Why files cannot be taken from there; null when they can, as far as can be told from looking at it. */
    static String problem(String source) {
        String shown = "'${CONTROL.matcher(source).replaceAll('?')}'"
        if (source.empty || source != source.trim() || CONTROL.matcher(source).find() || source.contains('\\'))
            return "${shown} is neither a URL nor a folder with forward slashes"
        if (source.replace(BY_HASH, '') =~ /[{}]/)
            return "${shown} has a placeholder that locks do not know; they know ${BY_HASH}"
        if (source.contains('://')) return urlProblem(source)
        if (source.startsWith('//')) return "${shown} is a folder of another computer; mount it, and name it without //"
        return null
    }

    private static String urlProblem(String source) {
        if (!(source =~ '^(https?|file)://')) return "'${source}' is no URL of http, https or file"
        if (source =~ '^[a-z]+://[^/?#]*@')
            return "'${source}' holds a user name or password, which would be shared with the lock"
        if (!HTTP_URL.matcher(source).matches() && !FILE_URL.matcher(source).matches())
            return "'${source}' is no URL of files"
        if (source =~ /[?#]/ && !source.contains(BY_HASH))
            return "'${source}' goes on after the path, where file names are added; write ${BY_HASH} in it"
        return null
    }

    static boolean remote(String source) { source.startsWith('http://') || source.startsWith('https://') }

    /** Where a source has a file. */
    static String location(String source, LockedFile file) {
        if (source.contains(BY_HASH)) return source.replace(BY_HASH, file.sha256)
        return source.replaceAll('/+$', '') + '/' + file.path
    }

    /** The file in a source that is not remote. */
    static File inFolder(File lock, String source, LockedFile file) {
        String where = location(source, file)
        Matcher url = FILE_URL.matcher(where)
        if (url.matches()) return new File(decoded(url.group(1)))
        return new File(where).absolute ? new File(where) : new File(lock.parentFile, where)
    }

    private static String decoded(String path) {
        return URLDecoder.decode(path.replace('+', '%2B').replaceAll('%(?![0-9A-Fa-f]{2})', '%25'), 'UTF-8')
    }
}

/** Puts the files of a lock where the app's build looks for them. */
@CompileStatic
class LockedModels {
    final File lock
    final Downloads downloads

    /** @param downloads where the files of remote sources come from */
    LockedModels(File lock, Downloads downloads) {
        this.lock = lock
        this.downloads = downloads
    }

    /** Where in folders here the files of these targets may be; what is wrong with the lock is said when it is used. */
    static List<File> local(File lock, String text, List<String> names) {
        List<File> found = []
        try {
            for (LockedTarget target : new ModelLock(text, lock.path).chosen(names))
                for (String source : target.sources)
                    if (!ModelSource.remote(source))
                        found.addAll(target.files.collect { ModelSource.inFolder(lock, source, it) })
        } catch (GradleException ignored) {
            found.clear()
        }
        return found
    }

    /** Brings each folder to hold the locked files of its kind, and nothing else. */
    void place(List<String> names, Map<String, File> folders) {
        ModelLock read = ModelLock.of(lock)
        List<LockedTarget> targets = read.chosen(names)
        folders.each { String kind, File folder ->
            Map<String, LockedTarget> taken = [:]
            Set<File> keep = [] as Set<File>
            for (LockedTarget target : targets)
                for (LockedFile file : target.files.findAll { LockedFile each -> each.kind == kind }) {
                    LockedTarget other = taken.put(file.name.toLowerCase(Locale.ROOT), target)
                    if (other != null)
                        throw new GradleException("${lock}: ${other.name} and ${target.name} both have ${file.path}; "
                            + 'an app takes one of them')
                    keep << new File(folder, file.name)
                    bring(file, target, new File(folder, file.name))
                }
            sweep(folder, keep)
        }
        downloads.keep(read.targets.collectMany { LockedTarget target -> target.files*.sha256 } as Set<String>)
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
            + failures.collect { String each -> "  ${each}\n" }.join('')
            + 'Restore it there, or build and lock again: mobile-export lock')
    }

    /** Why a file could not be brought from there; null when it was. */
    private String bringFrom(String source, LockedFile file, File to) {
        // What is there already is not fetched again; what lies here is looked at whatever an earlier build took.
        boolean remote = ModelSource.remote(source)
        if (remote && file.problem(to) == null) return null
        String where = ModelSource.location(source, file)
        File beside = new File(to.path + '.new')
        try {
            Files.createDirectories(to.parentFile.toPath())
            File from = remote ? downloads.get(where, file) : ModelSource.inFolder(lock, source, file)
            Files.copy(from.toPath(), beside.toPath(), StandardCopyOption.REPLACE_EXISTING)
            String wrong = file.problem(beside)
            if (wrong == null) Files.move(beside.toPath(), to.toPath(), StandardCopyOption.REPLACE_EXISTING)
            else beside.delete()
            return wrong == null ? null : "${where} ${wrong}"
        } catch (NoSuchFileException missing) {
            return "${missing.file} is not there"
        } catch (IOException error) {
            return "${where}: ${error.message ?: error.class.simpleName}"
        } catch (IllegalArgumentException error) { // no path here, or no port anywhere
            return "${where}: ${error.message}"
        }
    }

    private static void sweep(File folder, Set<File> keep) {
        Files.createDirectories(folder.toPath())
        folder.eachFileRecurse { File file -> if (file.file && !keep.contains(file)) file.delete() }
    }
}

/** May be over at the next try; `pause` is what the server asks for, in milliseconds. */
class PassingFailure extends IOException {
    final long pause

    PassingFailure(String message, long pause = 0) {
        super(message)
        this.pause = pause
    }
}

/** Files by URL, in a folder that all variants share. What breaks off goes on where it ended, also in the next build. */
@CompileStatic
class Downloads {
    static final int TRIES = 5, REDIRECTS = 5, BUFFER = 1 << 16
    static final long PAUSE = 500, LONGEST_PAUSE = 30_000, MUCH = 1 << 20
    static final List<Integer> PASSING = [408, 425, 429, 500, 502, 503, 504]
    static final Pattern RANGE = Pattern.compile('bytes ([0-9]{1,18})-[0-9]+/([0-9]{1,18}|[*])')

    final File folder
    final boolean offline
    final Consumer<String> log
    private final Map<String, String> dead = [:]

    /** @param log takes a line for each file that is fetched */
    Downloads(File folder, boolean offline, Consumer<String> log) {
        this.folder = folder
        this.offline = offline
        this.log = log
    }

    /** A file that is what was locked. One is fetched at a time, for variants build at once and share the folder. */
    File get(String url, LockedFile file) {
        synchronized (Downloads) {
            File whole = new File(folder, file.sha256), part = new File(folder, file.sha256 + '.part')
            if (file.problem(whole) == null) return whole
            if (offline) throw new IOException('Gradle is offline')
            Files.createDirectories(folder.toPath())
            boolean resumed = part.length() > 0
            fetch(url, part, file.bytes)
            if (resumed && file.problem(part) != null) { // it may have begun as another file
                part.delete()
                fetch(url, part, file.bytes)
            }
            String wrong = file.problem(part)
            if (wrong == null) Files.move(part.toPath(), whole.toPath(), StandardCopyOption.REPLACE_EXISTING)
            else part.delete()
            if (wrong != null) throw new IOException(wrong)
            return whole
        }
    }

    /** Removes all that is not of these hashes. */
    void keep(Set<String> hashes) {
        synchronized (Downloads) {
            for (File each : folder.listFiles() ?: new File[0])
                if (!hashes.contains(each.name.replace('.part', ''))) each.delete()
        }
    }

    private void fetch(String url, File part, long bytes) {
        String host = new URL(url).authority
        if (dead.containsKey(host)) throw new IOException(dead[host])
        if (part.length() > bytes) part.delete()
        long have = part.length()
        log.accept("fetching ${url}${have > 0 ? " from byte ${have} on" : ''}".toString())
        for (int failed = 0; part.length() < bytes || !part.exists();) {
            long before = part.length()
            try {
                goOn(url, part, bytes)
            } catch (PassingFailure failure) {
                failed = part.length() >= before + MUCH ? 1 : failed + 1
                if (failed == TRIES) dead[host] = failure.message
                if (failed == TRIES) throw new IOException("${failure.message}; tried ${TRIES} times".toString())
                Thread.sleep(Math.min(Math.max(PAUSE << (failed - 1), failure.pause), LONGEST_PAUSE))
            }
        }
    }

    /** One request, for what is missing. */
    private static void goOn(String url, File part, long bytes) {
        long have = part.length()
        HttpURLConnection connection = null
        try {
            connection = answered(new URL(url), have)
            long start = firstByte(connection, part, bytes)
            new FileOutputStream(part, start > 0).withCloseable { OutputStream out ->
                if (bytes > 0) copy(passing { connection.inputStream }, out, bytes - start)
            }
        } finally {
            connection?.disconnect()
        }
        if (part.length() < bytes) throw new PassingFailure("ended after ${part.length()} of ${bytes} bytes")
    }

    /** The answer to a request, after some redirects; what is asked for with https does not come by http. */
    private static HttpURLConnection answered(URL asked, long have) {
        URL url = asked
        for (int i = 0; i <= REDIRECTS; i++) {
            HttpURLConnection connection = (HttpURLConnection) url.openConnection()
            connection.instanceFollowRedirects = false
            connection.connectTimeout = 10_000
            connection.readTimeout = 60_000
            connection.setRequestProperty('Accept-Encoding', 'identity')
            if (have > 0) connection.setRequestProperty('Range', "bytes=${have}-")
            boolean redirected = passing { connection.responseCode } in [301, 302, 303, 307, 308]
            String elsewhere = connection.getHeaderField('Location')
            if (!redirected || elsewhere == null) return connection
            connection.disconnect()
            URL next = new URL(url, elsewhere)
            if (!(next.protocol in ['http', 'https']) || url.protocol == 'https' && next.protocol != 'https')
                throw new IOException("the server redirects to ${next}, which is not as safe")
            url = next
        }
        throw new IOException("the server redirects more than ${REDIRECTS} times")
    }

    /** At which byte an answer begins. */
    private static long firstByte(HttpURLConnection answer, File part, long bytes) {
        int status = answer.responseCode
        long have = part.length()
        if (status in PASSING) throw new PassingFailure("the server answers ${status}", retryAfter(answer))
        Matcher range = RANGE.matcher(answer.getHeaderField('Content-Range') ?: '')
        if (status == 206 && have > 0 && range.matches() && Long.parseLong(range.group(1)) == have) {
            if (range.group(2) != '*') mustHave(bytes, Long.parseLong(range.group(2)))
            return have
        }
        if (have > 0 && status in [206, 416]) {
            part.delete()
            throw new PassingFailure('the server does not go on where it was broken off')
        }
        if (status != 200) throw new IOException("the server answers ${status}")
        if (answer.contentEncoding == null && answer.contentLengthLong >= 0) mustHave(bytes, answer.contentLengthLong)
        return 0
    }

    private static void mustHave(long bytes, long said) {
        if (said != bytes) throw new IOException("the server has ${said} bytes, where the lock says ${bytes}")
    }

    private static long retryAfter(HttpURLConnection answer) {
        String said = answer.getHeaderField('Retry-After')
        return said ==~ /[0-9]{1,6}/ ? 1000 * Long.parseLong(said) : 0
    }

    /** Copies no more than is wanted. */
    private static void copy(InputStream from, OutputStream to, long wanted) {
        byte[] buffer = new byte[BUFFER]
        for (long left = wanted; left > 0;) {
            int most = (int) Math.min((long) BUFFER, left)
            int count = passing { from.read(buffer, 0, most) }
            if (count < 0) return
            to.write(buffer, 0, count)
            left -= count
        }
    }

    /** What fails here may be over at the next try, unless the server is not to be trusted. */
    private static <T> T passing(Closure<T> network) {
        try {
            return network.call()
        } catch (SSLException distrust) {
            throw distrust
        } catch (IOException failure) {
            throw new PassingFailure("cannot be reached: ${failure.message ?: failure.class.simpleName}")
        }
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
