package dev.vfio.migration.operator.chart;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Legal names of releases, namespaces and Secrets that YAML would read as something else. */
class ChartNamesTest {
  private static final ObjectMapper YAML = new ObjectMapper(new YAMLFactory());

  /** What a reader of YAML 1.1, as Helm and kubectl are, takes for no text. */
  private static final Pattern NO_TEXT =
      Pattern.compile(
          "(?i)~|null|true|false|yes|no|on|off|y|n|0x[0-9a-f]+|0o?[0-7]+|[-+]?[0-9][0-9_]*"
              + "|[-+]?([0-9]+\\.?[0-9]*|\\.[0-9]+)(e[-+]?[0-9]+)?|[0-9]+(:[0-5]?[0-9])+"
              + "|[0-9]{4}-[0-9]{2}-[0-9]{2}");

  private static final Set<String> TEXTS =
      Set.of("name", "namespace", "value", "secretName", "priorityClassName", "path", "mountPath");

  private static final Set<String> MAPS_OF_TEXTS =
      Set.of("labels", "matchLabels", "annotations", "nodeSelector");

  private static final Pattern OBJECT_NAME =
      Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");

  @ParameterizedTest
  @ValueSource(
      strings = {
        "123",
        "0",
        "007",
        "1e3",
        "0x10",
        "0o7",
        "true",
        "null",
        "on",
        "off",
        "yes",
        "no",
        "y",
        "n",
        "1-2",
        "2026-11-30",
        "9a",
        "a9",
      })
  void aNameStaysATextWhateverItLooksLike(String odd) throws IOException {
    requireTexts(
        Chart.templateAs(
            odd,
            odd,
            """
            {rbac: {aggregateToEdit: true, nodeViewer: true}, admission: {policy: {enabled: true}},
             agent: {priorityClassName: '%s', kernelDevices: {enabled: true},
                     podLabels: {a: '%s'}, extraEnv: [{name: A, value: '%s'}]},
             imagePullSecrets: [{name: '%s'}], operator: {nodeSelector: {a: '%s'}}}
            """
                .formatted(odd, odd, odd, odd, odd)));
    requireTexts(
        Chart.templateAs(
            odd,
            odd,
            "tls: {operatorSecret: '%s', agentSecret: '%s-a'}".formatted(odd, odd),
            "admission: {adminNamespaces: ['%s']}".formatted(odd)));
  }

  @ParameterizedTest
  @CsvSource({
    "release, 53, namespace, 63",
    "a.b, 53, n, 63",
    "9, 53, 9, 63",
    "r.123456789012345678901234567890123456.a, 53, n, 1",
  })
  void theLongestNamesGiveLegalObjects(
      String release, int releaseLength, String namespace, int namespaceLength) throws IOException {
    String rendered =
        Chart.templateAs(
            padded(release, releaseLength),
            padded(namespace, namespaceLength),
            "{rbac: {aggregateToEdit: true, nodeViewer: true}, admission: {policy: {enabled:"
                + " true}}}");
    requireTexts(rendered);
    for (JsonNode object :
        YAML.readerFor(JsonNode.class).<JsonNode>readValues(rendered).readAll()) {
      String name = object.path("metadata").path("name").asText();
      assertThat(name).matches(OBJECT_NAME).hasSizeLessThanOrEqualTo(63);
      assertThat(name)
          .satisfies(each -> assertThat(each.split("\\.")).allMatch(label -> label.length() <= 63));
    }
  }

  private static String padded(String beginning, int length) {
    return beginning + "7".repeat(Math.max(0, length - beginning.length()));
  }

  private static void requireTexts(String yaml) throws IOException {
    Set<String> faults = new TreeSet<>();
    List<JsonNode> documents = YAML.readerFor(JsonNode.class).<JsonNode>readValues(yaml).readAll();
    assertThat(documents).isNotEmpty();
    documents.forEach(document -> collect(document, "", false, faults));
    assertThat(faults).isEmpty();
    // A reader of another version of YAML takes more for numbers: whatever looks so is quoted.
    for (String line : yaml.lines().toList()) {
      int colon = line.indexOf(": ");
      String key = line.substring(0, Math.max(colon, 0)).replaceAll("^[- ]*", "");
      if (colon > 0 && TEXTS.contains(key)) {
        assertThat(NO_TEXT.matcher(line.substring(colon + 2).strip()).matches()).as(line).isFalse();
      }
    }
  }

  private static void collect(JsonNode node, String at, boolean texts, Set<String> faults) {
    if (node.isArray()) {
      node.forEach(each -> collect(each, at + "[]", false, faults));
      return;
    }
    for (Map.Entry<String, JsonNode> field : node.properties()) {
      String path = at + "." + field.getKey();
      JsonNode value = field.getValue();
      boolean text = texts || TEXTS.contains(field.getKey());
      if (text && value.isValueNode() && !value.isTextual()) {
        faults.add(path + " is " + value);
      }
      collect(value, path, MAPS_OF_TEXTS.contains(field.getKey()), faults);
    }
  }
}
