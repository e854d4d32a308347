package dev.vfio.migration.sandbox.apiserver.cel;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** CEL rules over objects. */
class SchemaRulesTest {
  private static final String SCHEMA =
      """
      type: object
      properties:
        spec:
          type: object
          properties:
            name: {type: string}
            count: {type: integer}
            ratio: {type: number}
            size: {x-kubernetes-int-or-string: true}
            when: {type: string, format: date-time}
            pause: {type: string}
            tags: {type: array, maxItems: 10, items: {type: string, maxLength: 10}}
            numbers: {type: array, maxItems: 10, items: {type: integer}}
            labels: {type: object, maxProperties: 10, additionalProperties: {type: string}}
            in: {type: string}
            a-b: {type: string}
      """;
  private static final String OBJECT =
      """
      {"metadata": {"name": "it", "labels": {"hidden": "yes"}},
       "spec": {"name": "node-a.example", "count": 3, "ratio": 1.5, "size": "1Gi", "when": "2026-01-02T03:04:05Z",
         "pause": "1m30s", "tags": ["a", "b", "c"], "numbers": [1, 2, 3], "labels": {"k": "v"}, "in": "x", "a-b": "y"}}
      """;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "self.metadata.name == 'it'",
        "self.spec.count > 2 && self.spec.ratio < 2 && self.spec.count < 3.5",
        "self.spec.when < timestamp('2100-01-01T00:00:00Z') && self.spec.when.getFullYear() =="
            + " 2026",
        "duration(self.spec.pause) == duration('90s') && duration('300ms') > duration('0s')",
        "type(self.spec.size) == string",
        "self.spec.tags.all(t, t.size() == 1) && self.spec.tags.exists_one(t, t == 'a')",
        "self.spec.tags.map(t, t + '!').join(',') == 'a!,b!,c!'",
        "self.spec.labels.k == 'v' && 'k' in self.spec.labels && self.spec.labels.all(k, k != 'x')",
        "self.spec.name.split('-')[0].upperAscii() == 'NODE' &&"
            + " self.spec.name.matches('^node-[a-z]')",
        "self.spec.__in__ == 'x' && self.spec.a__dash__b == 'y'",
      })
  void rulesThatHold(String rule) throws IOException {
    assertThat(check(rule, "", OBJECT, null)).isEmpty();
  }

  @Test
  void aBrokenRuleNamesItselfWithoutAMessage() throws IOException {
    assertThat(check("self.spec.count == 4", "", OBJECT, null))
        .containsExactly(
            new Cause(
                "FieldValueInvalid",
                "Invalid value: \"object\": failed rule: self.spec.count == 4",
                ""));
  }

  @Test
  void aRuleThatFailsToRunIsBroken() throws IOException {
    assertThat(check("self.spec.labels['missing'] == 'x'", "", OBJECT, null))
        .singleElement()
        .satisfies(
            cause -> assertThat(cause.message()).contains("no such key: missing evaluating rule:"));
  }

  @Test
  void rulesAboutTheOldValueWaitForOne() throws IOException {
    String rule = "self.spec.count >= oldSelf.spec.count";
    assertThat(check(rule, "", OBJECT, null)).isEmpty();
    assertThat(check(rule, "", OBJECT, OBJECT)).isEmpty();
    assertThat(check(rule, "", OBJECT, OBJECT.replace("3, \"ratio", "4, \"ratio"))).hasSize(1);
  }

  @Test
  void anOptionalOldValueIsRefusedInsteadOfIgnored() throws IOException {
    SchemaRules rules = new SchemaRules(schema("self == oldSelf", ", optionalOldSelf: true"));
    assertThat(rules.errors())
        .singleElement()
        .satisfies(
            cause ->
                assertThat(cause.field())
                    .isEqualTo(".x-kubernetes-validations[0].optionalOldSelf"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "self.spec.nowhere == 1",
        "self.spec.count == 'three'",
        "self.spec.count + 1",
        "self.metadata.labels.size() > 0",
        "self.spec.count ==",
        "self.?spec.?name.orValue('none') == 'x'",
        "self.spec.unknownFunction()",
        "isURL(self.spec.name)",
        "isQuantity(self.spec.name)",
      })
  void rulesThatDoNotCompileAreErrorsOfTheDefinition(String rule) throws IOException {
    SchemaRules rules = new SchemaRules(schema(rule, ""));
    assertThat(rules.errors())
        .singleElement()
        .satisfies(
            cause -> assertThat(cause.field()).isEqualTo(".x-kubernetes-validations[0].rule"));
  }

  private static List<Cause> check(String rule, String options, String object, String old)
      throws IOException {
    SchemaRules rules = new SchemaRules(schema(rule, options));
    assertThat(rules.errors()).isEmpty();
    return rules.check(
        (ObjectNode) Json.parse(object), old == null ? null : (ObjectNode) Json.parse(old));
  }

  private static Schema schema(String rule, String options) throws IOException {
    String text =
        SCHEMA
            + "x-kubernetes-validations: [{rule: "
            + Json.text(Json.array().add(rule).get(0))
            + options
            + "}]\n";
    return Schema.ofObject(new YAMLMapper().readTree(text));
  }
}
