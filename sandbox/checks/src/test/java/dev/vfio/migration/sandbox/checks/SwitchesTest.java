package dev.vfio.migration.sandbox.checks;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.source.tree.CaseTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.ExpressionTree;
import com.sun.source.tree.SwitchExpressionTree;
import com.sun.source.tree.SwitchTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.JavacTask;
import com.sun.source.util.TreePath;
import com.sun.source.util.TreePathScanner;
import com.sun.source.util.Trees;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import javax.lang.model.element.Element;
import javax.lang.model.element.ElementKind;
import javax.lang.model.element.TypeElement;
import javax.lang.model.type.DeclaredType;
import javax.lang.model.type.TypeMirror;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;

/**
 * A switch over an enum of ours names every value, and the compiler holds it to that: a value that
 * is added later must not fall into a default unseen. The compiler checks expressions alone, so
 * such a switch is an expression. Java 17 has no switch over the types of a sealed hierarchy.
 */
class SwitchesTest {
  private static final Pattern PROGRAMS =
      Pattern.compile("(?:src|node-agent/[\\w-]+)/(?:src/)?main/java/.*\\.java");

  private static final Pattern SWITCH = Pattern.compile("\\bswitch \\(");

  @Test
  void everySwitchOverAnEnumOfOursIsAnExpressionWithoutADefault() throws IOException {
    List<JavaFileObject> sources =
        SourceTree.files().stream()
            .filter(file -> PROGRAMS.matcher(file.toString()).matches())
            .filter(file -> SWITCH.matcher(SourceTree.text(file)).find())
            .<JavaFileObject>map(file -> new Source(file.toString(), SourceTree.text(file)))
            .toList();
    assertThat(sources)
        .extracting(JavaFileObject::getName)
        .anyMatch(name -> name.startsWith("/src/"))
        .anyMatch(name -> name.startsWith("/node-agent/agent/"))
        .anyMatch(name -> name.startsWith("/node-agent/vfio/"));
    assertThat(offenders(sources)).as("switches that miss a value added later").isEmpty();
  }

  @Test
  void aDefaultAndAStatementOverOurEnumsAreFoundAndNothingElse() throws IOException {
    String source =
        """
        package dev.vfio.migration;
        class Sample {
          enum Ours { ONE, TWO }
          static int whole(Ours ours) {
            return switch (ours) { case ONE -> 1; case TWO -> 2; };
          }
          static int number(int number) {
            return switch (number) { case 1 -> 1; default -> 2; };
          }
          static int foreign(Thread.State state) {
            switch (state) { case NEW: return 1; default: return 2; }
          }
          static int withDefault(Ours ours) {
            return switch (ours) { case ONE -> 1; default -> 2; };
          }
          static void statement(Ours ours) {
            switch (ours) { case ONE -> { } case TWO -> { } }
          }
        }
        """;
    assertThat(offenders(List.of(new Source("Sample.java", source))))
        .containsExactly(
            "/Sample.java:14: a default over Ours", "/Sample.java:17: a statement over Ours");
  }

  private static List<String> offenders(List<JavaFileObject> sources) throws IOException {
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
    List<String> options =
        List.of("-proc:none", "-classpath", System.getProperty("java.class.path"));
    JavacTask task = (JavacTask) compiler.getTask(null, null, diagnostics, options, null, sources);
    Iterable<? extends CompilationUnitTree> units = task.parse();
    task.analyze();
    // Where a type is not known the rule would see no enum.
    assertThat(diagnostics.getDiagnostics())
        .filteredOn(diagnostic -> diagnostic.getKind() == Diagnostic.Kind.ERROR)
        .isEmpty();
    Switches switches = new Switches(Trees.instance(task));
    switches.scan(units, null);
    return switches.found;
  }

  private static final class Switches extends TreePathScanner<Void, Void> {
    private final Trees trees;
    private final List<String> found = new ArrayList<>();

    Switches(Trees trees) {
      this.trees = trees;
    }

    @Override
    public Void visitSwitch(SwitchTree tree, Void nothing) {
      check(tree, tree.getExpression(), tree.getCases());
      return super.visitSwitch(tree, nothing);
    }

    @Override
    public Void visitSwitchExpression(SwitchExpressionTree tree, Void nothing) {
      check(tree, tree.getExpression(), tree.getCases());
      return super.visitSwitchExpression(tree, nothing);
    }

    private void check(Tree tree, ExpressionTree over, List<? extends CaseTree> cases) {
      TypeMirror type = trees.getTypeMirror(new TreePath(getCurrentPath(), over));
      if (!(type instanceof DeclaredType declared) || !isEnumOfOurs(declared.asElement())) {
        return;
      }
      if (cases.stream().anyMatch(each -> each.getExpressions().isEmpty())) {
        add(tree, "a default over " + declared.asElement().getSimpleName());
      } else if (tree instanceof SwitchTree) {
        add(tree, "a statement over " + declared.asElement().getSimpleName());
      }
    }

    private static boolean isEnumOfOurs(Element element) {
      return element.getKind() == ElementKind.ENUM
          && ((TypeElement) element)
              .getQualifiedName()
              .toString()
              .startsWith("dev.vfio.migration.");
    }

    private void add(Tree tree, String what) {
      CompilationUnitTree unit = getCurrentPath().getCompilationUnit();
      long start = trees.getSourcePositions().getStartPosition(unit, tree);
      found.add(
          unit.getSourceFile().getName()
              + ":"
              + unit.getLineMap().getLineNumber(start)
              + ": "
              + what);
    }
  }

  private static final class Source extends SimpleJavaFileObject {
    private final String text;

    Source(String name, String text) {
      super(URI.create("string:///" + name), Kind.SOURCE);
      this.text = text;
    }

    @Override
    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
      return text;
    }

    @Override
    public boolean isNameCompatible(String simpleName, Kind kind) {
      return true;
    }
  }
}
