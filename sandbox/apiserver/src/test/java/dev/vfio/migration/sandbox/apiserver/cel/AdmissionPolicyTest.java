package dev.vfio.migration.sandbox.apiserver.cel;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.cel.common.CelFunctionDecl;
import dev.cel.common.CelOverloadDecl;
import dev.cel.common.types.CelType;
import dev.cel.common.types.OpaqueType;
import dev.cel.common.types.SimpleType;
import dev.cel.compiler.CelCompilerBuilder;
import dev.cel.compiler.CelCompilerFactory;
import dev.cel.parser.CelStandardMacro;
import dev.cel.runtime.CelFunctionBinding;
import dev.cel.runtime.CelRuntime;
import dev.cel.runtime.CelRuntimeFactory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/**
 * The expressions of the chart's ValidatingAdmissionPolicy, evaluated as an API server does: with
 * {@code object}, {@code oldObject}, {@code request} and an {@code authorizer} that grants what the
 * test says (https://kubernetes.io/docs/reference/using-api/cel/).
 */
class AdmissionPolicyTest {
  private static final String TEMPLATE = "helm/vfio-migration/templates/admission-policy.yaml";

  private static final CelType AUTHORIZER =
      OpaqueType.create("kubernetes.authorization.Authorizer");
  private static final CelType GROUP = OpaqueType.create("kubernetes.authorization.GroupCheck");
  private static final CelType RESOURCE =
      OpaqueType.create("kubernetes.authorization.ResourceCheck");
  private static final CelType DECISION = OpaqueType.create("kubernetes.authorization.Decision");

  /** The access that is checked; a part is empty until the expression has named it. */
  private record Access(String group, String resource, String name, String verb) {}

  private static final CelCompilerBuilder COMPILER =
      CelCompilerFactory.standardCelCompilerBuilder()
          .setStandardMacros(CelStandardMacro.STANDARD_MACROS)
          .addVar("object", SimpleType.DYN)
          .addVar("oldObject", SimpleType.DYN)
          .addVar("request", SimpleType.DYN)
          .addVar("authorizer", AUTHORIZER)
          .addFunctionDeclarations(member("allowed", SimpleType.BOOL, DECISION));
  private static final List<CelFunctionBinding> BINDINGS = new ArrayList<>();

  static {
    named("group", GROUP, AUTHORIZER, (access, text) -> new Access(text, "", "", ""));
    named("resource", RESOURCE, GROUP, (access, text) -> new Access(access.group, text, "", ""));
    named(
        "name",
        RESOURCE,
        RESOURCE,
        (access, text) -> new Access(access.group, access.resource, text, ""));
    named(
        "check",
        DECISION,
        RESOURCE,
        (access, text) -> new Access(access.group, access.resource, access.name, text));
  }

  private static JsonNode policy;

  private static CelFunctionDecl member(String name, CelType result, CelType... arguments) {
    return CelFunctionDecl.newFunctionDeclaration(
        name, CelOverloadDecl.newMemberOverload("authorizer_" + name, result, List.of(arguments)));
  }

  /** A member function with one text, which names one more part of the access. */
  private static void named(
      String name, CelType result, CelType target, BiFunction<Access, String, Access> body) {
    COMPILER.addFunctionDeclarations(member(name, result, target, SimpleType.STRING));
    BINDINGS.add(
        CelFunctionBinding.from("authorizer_" + name, Access.class, String.class, body::apply));
  }

  /** Lines of the template language hold no expression: those are plain text. */
  @BeforeAll
  static void read() throws IOException {
    Path directory = Path.of("").toAbsolutePath();
    while (!Files.exists(directory.resolve(TEMPLATE))) {
      directory = directory.getParent();
    }
    String plain =
        Files.readString(directory.resolve(TEMPLATE))
            .lines()
            .filter(line -> !line.contains("{{"))
            .collect(Collectors.joining("\n"));
    policy = new YAMLMapper().readTree(plain.split("(?m)^---$")[0]).path("spec");
    assertThat(policy.path("validations")).hasSize(2);
    assertThat(policy.path("matchConditions")).hasSize(1);
  }

  @Test
  void whoeverMayMigrateFromAndToBothNodesMayCreate() throws Exception {
    assertThat(complaints("CREATE", migration("a", "b"), null, Set.of("a", "b"))).isEmpty();
  }

  @Test
  void theRightToOneNodeIsNotEnough() throws Exception {
    assertThat(complaints("CREATE", migration("a", "b"), null, Set.of("a")))
        .containsExactly(
            "You may not migrate devices to node b: it takes the verb migrate on"
                + " vfionodes.migration.vfio.dev with that name.");
    assertThat(complaints("CREATE", migration("a", "b"), null, Set.of("b")))
        .containsExactly(
            "You may not migrate devices from node a: it takes the verb migrate on"
                + " vfionodes.migration.vfio.dev with that name.");
    assertThat(complaints("CREATE", migration("a", "b"), null, Set.of())).hasSize(2);
  }

  @Test
  void whoeverChangesWhatIsToBeDoneNeedsItToo() throws Exception {
    Map<String, Object> before = migration("a", "b");
    Map<String, Object> after = migration("a", "b");
    spec(after).put("switchover", "Automatic");
    assertThat(complaints("UPDATE", after, before, Set.of())).hasSize(2);
    assertThat(complaints("UPDATE", after, before, Set.of("a", "b"))).isEmpty();
  }

  /** The operator has no right to migrate, and needs none. */
  @Test
  void theFinalizerIsWrittenAndTakenAwayWithoutIt() throws Exception {
    Map<String, Object> with = migration("a", "b");
    with.put("metadata", Map.of("name", "m", "finalizers", List.of("migration.vfio.dev/x")));
    assertThat(complaints("UPDATE", with, migration("a", "b"), Set.of())).isEmpty();
    assertThat(complaints("UPDATE", migration("a", "b"), with, Set.of())).isEmpty();
  }

  @Test
  void aSpecThatIsMissingOrTakenAwayIsNoWayAround() throws Exception {
    Map<String, Object> none = new HashMap<>(Map.of("metadata", Map.of("name", "m")));
    assertThat(applies("UPDATE", migration("a", "b"), none)).isTrue();
    assertThat(applies("UPDATE", none, migration("a", "b"))).isTrue();
  }

  /** What the policy says; empty where it lets the request through. */
  private static List<String> complaints(
      String operation, Map<String, Object> object, Map<String, Object> old, Set<String> granted)
      throws Exception {
    if (!applies(operation, object, old)) {
      return List.of();
    }
    List<String> complaints = new ArrayList<>();
    for (JsonNode validation : policy.path("validations")) {
      Map<String, Object> variables = variables(operation, object, old);
      if (!(boolean) evaluate(validation.path("expression").asText(), variables, granted)) {
        complaints.add(
            (String) evaluate(validation.path("messageExpression").asText(), variables, granted));
      }
    }
    return complaints;
  }

  private static boolean applies(
      String operation, Map<String, Object> object, Map<String, Object> old) throws Exception {
    return (boolean)
        evaluate(
            policy.path("matchConditions").get(0).path("expression").asText(),
            variables(operation, object, old),
            Set.of());
  }

  private static Map<String, Object> variables(
      String operation, Map<String, Object> object, Map<String, Object> old) {
    Map<String, Object> variables = new HashMap<>();
    variables.put("request", Map.of("operation", operation));
    variables.put("object", object);
    variables.put("oldObject", old == null ? dev.cel.common.values.NullValue.NULL_VALUE : old);
    variables.put("authorizer", new Access("", "", "", ""));
    return variables;
  }

  private static Object evaluate(
      String expression, Map<String, Object> variables, Set<String> granted) throws Exception {
    CelFunctionBinding allowed =
        CelFunctionBinding.from(
            "authorizer_allowed",
            Access.class,
            access ->
                granted.contains(access.name)
                    && access.equals(
                        new Access("migration.vfio.dev", "vfionodes", access.name, "migrate")));
    CelRuntime runtime =
        CelRuntimeFactory.standardCelRuntimeBuilder()
            .addFunctionBindings(BINDINGS)
            .addFunctionBindings(allowed)
            .build();
    return runtime.createProgram(COMPILER.build().compile(expression).getAst()).eval(variables);
  }

  private static Map<String, Object> migration(String source, String destination) {
    Map<String, Object> spec = new HashMap<>();
    spec.put("source", Map.of("nodeName", source, "device", "vfio-user:gpu-0"));
    spec.put("destination", Map.of("nodeName", destination, "device", "vfio-user:gpu-0"));
    return new HashMap<>(Map.of("metadata", Map.of("name", "m"), "spec", spec));
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> spec(Map<String, Object> migration) {
    return (Map<String, Object>) migration.get("spec");
  }
}
