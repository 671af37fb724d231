import com.android.build.api.artifact.SingleArtifact;
import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import javax.inject.Inject;
import kotlin.Pair;
import kotlin.Unit;
import kotlin.jvm.functions.Function1;
import org.gradle.api.Action;
import org.gradle.api.DefaultTask;
import org.gradle.api.Plugin;
import org.gradle.api.Project;
import org.gradle.api.Task;
import org.gradle.api.file.Directory;
import org.gradle.api.file.DirectoryProperty;
import org.gradle.api.provider.ListProperty;
import org.gradle.api.provider.Provider;
import org.gradle.api.tasks.Input;
import org.gradle.api.tasks.InputFiles;
import org.gradle.api.tasks.OutputDirectory;
import org.gradle.api.tasks.TaskAction;
import org.gradle.api.tasks.TaskProvider;

/**
 * What a script sees of the Android Gradle Plugin's variant API, in the plugin's signatures, as its documentation has them.
 * The plugin itself is in Google's Maven repository alone. This one packages assets into a zip and compiles nothing.
 */
public class AndroidStandIn implements Plugin<Project> {
    @Override
    public void apply(Project project) {
        Dsl dsl = project.getExtensions().create("android", Dsl.class);
        Components components = project.getExtensions().create("androidComponents", Components.class, project);
        project.afterEvaluate(done -> components.finish(dsl));
    }

    public static class Dsl {
        private final AndroidResources androidResources = new AndroidResources();
        public List<String> flavors = List.of();
        public List<String> debuggable = List.of("debug");
        /** Whether variants tell that they are debuggable, as the plugin's do from 8.3 on. */
        public boolean tells = true;

        public AndroidResources getAndroidResources() { return androidResources; }
    }

    public static class AndroidResources {
        private final Collection<String> noCompress = new ArrayList<>();

        public Collection<String> getNoCompress() { return noCompress; }
    }

    public static class Selector {
        public Selector all() { return this; }
    }

    public static class Components {
        private final Project project;
        private final List<Action<Dsl>> finalizers = new ArrayList<>();
        private final List<Action<Variant>> takers = new ArrayList<>();

        @Inject
        public Components(Project project) { this.project = project; }

        public Selector selector() { return new Selector(); }

        public void finalizeDsl(Function1<? super Dsl, Unit> callback) { finalizers.add(callback::invoke); }

        public void finalizeDsl(Action<Dsl> callback) { finalizers.add(callback); }

        public void onVariants(Selector selector, Function1<? super Variant, Unit> callback) { takers.add(callback::invoke); }

        public void onVariants(Selector selector, Action<Variant> callback) { takers.add(callback); }

        void finish(Dsl dsl) {
            finalizers.forEach(each -> each.execute(dsl));
            List<String> flavors = dsl.flavors.isEmpty() ? List.of("") : dsl.flavors;
            for (String flavor : flavors) {
                for (String type : List.of("debug", "release")) {
                    Variant variant = dsl.tells
                        ? new TellingVariant(project, flavor, type, dsl.debuggable.contains(type))
                        : new Variant(project, flavor, type);
                    variant.packaging(dsl.getAndroidResources().getNoCompress());
                    takers.forEach(each -> each.execute(variant));
                }
            }
        }
    }

    public static class Variant {
        private final Project project;
        private final String flavor;
        private final String buildType;
        private final Component androidTest;
        private final Sources sources;
        private TaskProvider<PackageAssets> apk;

        Variant(Project project, String flavor, String buildType) {
            this.project = project;
            this.flavor = flavor;
            this.buildType = buildType;
            sources = new Sources(project);
            androidTest = buildType.equals("debug") ? new Component(new Sources(project)) : null;
        }

        void packaging(Collection<String> noCompress) {
            apk = register("package" + title(), sources, noCompress);
            project.getTasks().register("assemble" + title(), task -> task.dependsOn(apk));
            project.getTasks().register("compile" + title() + "Kotlin", task -> task.getInputs().files(sources.kotlin.all));
            if (androidTest != null) register("package" + title() + "AndroidTest", androidTest.sources, noCompress);
        }

        private TaskProvider<PackageAssets> register(String name, Sources from, Collection<String> noCompress) {
            return project.getTasks().register(name, PackageAssets.class, task -> {
                task.getAssets().set(from.assets.all);
                task.getNoCompress().set(noCompress);
                task.getOutput().set(project.getLayout().getBuildDirectory().dir("outputs/apk/" + name));
            });
        }

        private String title() {
            String name = getName();
            return name.substring(0, 1).toUpperCase() + name.substring(1);
        }

        public String getName() {
            return flavor.isEmpty() ? buildType : flavor + buildType.substring(0, 1).toUpperCase() + buildType.substring(1);
        }

        public String getBuildType() { return buildType; }

        public List<Pair<String, String>> getProductFlavors() {
            return flavor.isEmpty() ? List.of() : List.of(new Pair<>("dimension", flavor));
        }

        public Sources getSources() { return sources; }

        public Component getAndroidTest() { return androidTest; }

        public Artifacts getArtifacts() { return new Artifacts(this); }
    }

    public static class TellingVariant extends Variant {
        private final boolean debuggable;

        TellingVariant(Project project, String flavor, String buildType, boolean debuggable) {
            super(project, flavor, buildType);
            this.debuggable = debuggable;
        }

        public boolean getDebuggable() { return debuggable; }
    }

    public static class Component {
        private final Sources sources;

        Component(Sources sources) { this.sources = sources; }

        public Sources getSources() { return sources; }
    }

    public static class Artifacts {
        private final Variant variant;

        Artifacts(Variant variant) { this.variant = variant; }

        public Provider<Directory> get(SingleArtifact artifact) { return variant.apk.flatMap(PackageAssets::getOutput); }
    }

    public static class Sources {
        private final Directories assets;
        private final Directories kotlin;

        Sources(Project project) {
            assets = new Directories(project, "assets");
            kotlin = new Directories(project, "kotlin");
        }

        public Directories getAssets() { return assets; }

        public Directories getKotlin() { return kotlin; }

        public Directories getJava() { return kotlin; }
    }

    public static class Directories {
        private final Project project;
        private final String kind;
        final ListProperty<Directory> all;

        Directories(Project project, String kind) {
            this.project = project;
            this.kind = kind;
            all = project.getObjects().listProperty(Directory.class);
        }

        public <T extends Task> void addGeneratedSourceDirectory(TaskProvider<T> task, Function1<? super T, ? extends DirectoryProperty> wiredWith) {
            all.add(task.flatMap(each -> wiredWith.invoke(each)));
            String name = "generated/" + kind + "/" + task.getName();
            task.configure(each -> wiredWith.invoke(each).set(project.getLayout().getBuildDirectory().dir(name)));
        }
    }

    public abstract static class PackageAssets extends DefaultTask {
        @InputFiles
        public abstract ListProperty<Directory> getAssets();

        @Input
        public abstract ListProperty<String> getNoCompress();

        @OutputDirectory
        public abstract DirectoryProperty getOutput();

        @TaskAction
        public void pack() throws IOException {
            File apk = getOutput().file("app.apk").get().getAsFile();
            try (ZipOutputStream out = new ZipOutputStream(new FileOutputStream(apk))) {
                for (Directory folder : getAssets().get()) {
                    Path root = folder.getAsFile().toPath();
                    try (Stream<Path> files = Files.walk(root)) {
                        for (Path file : (Iterable<Path>) files.filter(Files::isRegularFile).sorted()::iterator) {
                            add(out, "assets/" + root.relativize(file), Files.readAllBytes(file));
                        }
                    }
                }
            }
        }

        private void add(ZipOutputStream out, String name, byte[] bytes) throws IOException {
            ZipEntry entry = new ZipEntry(name);
            if (getNoCompress().get().stream().anyMatch(suffix -> name.endsWith("." + suffix))) {
                CRC32 crc = new CRC32();
                crc.update(bytes);
                entry.setMethod(ZipEntry.STORED);
                entry.setSize(bytes.length);
                entry.setCrc(crc.getValue());
            }
            out.putNextEntry(entry);
            out.write(bytes);
            out.closeEntry();
        }
    }
}
