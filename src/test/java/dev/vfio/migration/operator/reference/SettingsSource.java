package dev.vfio.migration.operator.reference;

import com.sun.source.tree.AnnotationTree;
import com.sun.source.tree.AssignmentTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompilationUnitTree;
import com.sun.source.tree.ExpressionTree;
import com.sun.source.tree.LiteralTree;
import com.sun.source.tree.MethodTree;
import com.sun.source.tree.ModifiersTree;
import com.sun.source.tree.Tree;
import com.sun.source.util.DocTrees;
import com.sun.source.util.JavacTask;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.ToolProvider;

/**
 * Reads a {@code @ConfigMapping} interface from its source, as the compiler parses it: what Javadoc
 * says of a setting is what its reader is told, so that no description is written twice.
 */
final class SettingsSource {
  private static final Pattern LINK = Pattern.compile("\\{@link #(\\w+)(?:\\(\\))?}");
  private static final Pattern TAG = Pattern.compile("\\{@\\w+ ([^}]*)}");

  private final CompilationUnitTree unit;
  private final DocTrees documentation;
  private final Map<String, ClassTree> groups = new LinkedHashMap<>();
  private final List<Setting> settings = new ArrayList<>();

  /** One setting: its key, its Java type, its default (empty: none), what its Javadoc says. */
  record Setting(String key, String type, Optional<String> fallback, String description) {
    /** The name of the environment variable that sets it. */
    String environment() {
      return key.toUpperCase(Locale.ROOT).replaceAll("[^A-Z0-9]", "_");
    }

    boolean required() {
      return fallback.isEmpty() && !type.startsWith("Optional<");
    }
  }

  private SettingsSource(CompilationUnitTree unit, DocTrees documentation) {
    this.unit = unit;
    this.documentation = documentation;
  }

  /** The settings of the interface in this file, in the order in which they are declared. */
  static List<Setting> read(Path file) throws IOException {
    var compiler = ToolProvider.getSystemJavaCompiler();
    try (var files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8)) {
      JavacTask task =
          (JavacTask)
              compiler.getTask(
                  null, files, null, List.of("-proc:none"), null, files.getJavaFileObjects(file));
      CompilationUnitTree unit = task.parse().iterator().next();
      SettingsSource source = new SettingsSource(unit, DocTrees.instance(task));
      ClassTree mapping = (ClassTree) unit.getTypeDecls().get(0);
      mapping.getMembers().stream()
          .filter(ClassTree.class::isInstance)
          .map(ClassTree.class::cast)
          .forEach(group -> source.groups.put(group.getSimpleName().toString(), group));
      source.read(
          annotation(mapping.getModifiers(), "ConfigMapping", "prefix").orElseThrow(), mapping);
      return source.settings;
    }
  }

  private void read(String prefix, ClassTree declared) {
    for (Tree member : declared.getMembers()) {
      if (member instanceof MethodTree method
          && method.getBody() == null
          && method.getParameters().isEmpty()) {
        String key = prefix + "." + name(method);
        String type = method.getReturnType().toString();
        if (groups.containsKey(type)) {
          read(key, groups.get(type));
        } else {
          settings.add(
              new Setting(
                  key,
                  type,
                  annotation(method.getModifiers(), "WithDefault", "value"),
                  description(prefix, key, member)));
        }
      }
    }
  }

  private static String name(MethodTree method) {
    return annotation(method.getModifiers(), "WithName", "value")
        .orElseGet(() -> dashed(method.getName().toString()));
  }

  private static String dashed(String camelCase) {
    return camelCase.replaceAll("([A-Z])", "-$1").toLowerCase(Locale.ROOT);
  }

  private String description(String prefix, String key, Tree member) {
    String comment = documentation.getDocComment(documentation.getPath(unit, member));
    if (comment == null) {
      throw new IllegalStateException(
          key + " has no Javadoc comment, which the reference page takes its description from");
    }
    String text = comment.replace("<p>", " ").replaceAll("\\s+", " ").trim();
    String linked =
        LINK.matcher(text)
            .replaceAll(
                link -> Matcher.quoteReplacement("`" + prefix + "." + dashed(link.group(1)) + "`"));
    return TAG.matcher(linked)
        .replaceAll(tag -> Matcher.quoteReplacement("`" + tag.group(1) + "`"));
  }

  private static Optional<String> annotation(ModifiersTree on, String name, String attribute) {
    for (AnnotationTree annotation : on.getAnnotations()) {
      if (annotation.getAnnotationType().toString().equals(name)) {
        for (ExpressionTree argument : annotation.getArguments()) {
          if (argument instanceof AssignmentTree assignment
              && assignment.getVariable().toString().equals(attribute)) {
            return Optional.of(literal(assignment.getExpression()));
          }
          if (!(argument instanceof AssignmentTree) && attribute.equals("value")) {
            return Optional.of(literal(argument));
          }
        }
      }
    }
    return Optional.empty();
  }

  private static String literal(ExpressionTree expression) {
    if (expression instanceof LiteralTree literal) {
      return literal.getValue().toString();
    }
    throw new IllegalStateException("'" + expression + "' is no literal");
  }
}
