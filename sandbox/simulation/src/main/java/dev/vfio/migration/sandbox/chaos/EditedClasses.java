package dev.vfio.migration.sandbox.chaos;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileManager;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;

/**
 * All classes of this repository loaded anew, one of them from an edited source. What the edited
 * class gives itself away to sees it in place of the real one; nobody outside does.
 */
final class EditedClasses extends ClassLoader {
  private static final String OURS = "dev.vfio.migration.";

  private final Map<String, byte[]> edited;

  private EditedClasses(Map<String, byte[]> edited) {
    super(EditedClasses.class.getClassLoader());
    this.edited = edited;
  }

  /**
   * @throws IllegalArgumentException where the source does not compile
   * @throws IllegalStateException where this Java has no compiler
   */
  static EditedClasses of(String className, String source) {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    if (compiler == null) {
      throw new IllegalStateException(
          System.getProperty("java.home") + " has no compiler: planted bugs need a JDK");
    }
    DiagnosticCollector<JavaFileObject> problems = new DiagnosticCollector<>();
    Map<String, ByteArrayOutputStream> written = new HashMap<>();
    boolean compiled =
        compiler
            .getTask(
                null,
                new InMemory(compiler.getStandardFileManager(problems, null, null), written),
                problems,
                List.of(
                    "-proc:none",
                    "-parameters",
                    "-nowarn",
                    "-cp",
                    System.getProperty("java.class.path")),
                null,
                List.of(new Source(className, source)))
            .call();
    if (!compiled) {
      throw new IllegalArgumentException(
          className
              + " does not compile with the planted bug: "
              + problems.getDiagnostics().stream()
                  .filter(problem -> problem.getKind() == Diagnostic.Kind.ERROR)
                  .map(Object::toString)
                  .toList());
    }
    Map<String, byte[]> classes = new HashMap<>();
    written.forEach((name, bytes) -> classes.put(name, bytes.toByteArray()));
    return new EditedClasses(classes);
  }

  /** A new instance of our class of that name, made from the classes with the edited one. */
  <T> T create(Class<? extends T> ours, Class<T> known) {
    try {
      return known.cast(loadClass(ours.getName()).getDeclaredConstructor().newInstance());
    } catch (ReflectiveOperationException impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  @Override
  protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
    if (!name.startsWith(OURS)) {
      return super.loadClass(name, resolve);
    }
    synchronized (getClassLoadingLock(name)) {
      Class<?> known = findLoadedClass(name);
      if (known != null) {
        return known;
      }
      byte[] bytes = edited.containsKey(name) ? edited.get(name) : real(name);
      return defineClass(name, bytes, 0, bytes.length);
    }
  }

  private byte[] real(String name) throws ClassNotFoundException {
    try (InputStream from = getParent().getResourceAsStream(name.replace('.', '/') + ".class")) {
      if (from == null) {
        throw new ClassNotFoundException(name);
      }
      return from.readAllBytes();
    } catch (IOException unreadable) {
      throw new ClassNotFoundException(name, unreadable);
    }
  }

  private static URI uri(String className) {
    return URI.create("memory:///" + className.replace('.', '/') + ".java");
  }

  private static final class Source extends SimpleJavaFileObject {
    private final String text;

    Source(String className, String text) {
      super(uri(className), Kind.SOURCE);
      this.text = text;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return text;
    }
  }

  /** Keeps what is compiled in memory. */
  private static final class InMemory extends ForwardingJavaFileManager<JavaFileManager> {
    private final Map<String, ByteArrayOutputStream> written;

    InMemory(JavaFileManager files, Map<String, ByteArrayOutputStream> written) {
      super(files);
      this.written = written;
    }

    @Override
    public JavaFileObject getJavaFileForOutput(
        Location location, String className, JavaFileObject.Kind kind, FileObject sibling) {
      return new SimpleJavaFileObject(uri(className), kind) {
        @Override
        public OutputStream openOutputStream() {
          return written.computeIfAbsent(className, first -> new ByteArrayOutputStream());
        }
      };
    }
  }
}
