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

/** CEL rules over objects, with Kubernetes' own functions. */
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
            pause: {type: string, format: duration}
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
        "type(self.spec.size) == string && quantity(self.spec.size) == quantity('1024Mi')",
        "isQuantity('1.5Gi') && !isQuantity('much') && quantity('1k').isLessThan(quantity('1Ki'))",
        "quantity('2').add(3).asInteger() == 5 && quantity('1').sub(quantity('2')).sign() == -1",
        "self.spec.when < timestamp('2100-01-01T00:00:00Z') && self.spec.when.getFullYear() =="
            + " 2026",
        "self.spec.pause == duration('90s') && duration('300ms') > duration('0s')",
        "self.spec.tags.isSorted() && self.spec.tags.indexOf('b') == 1 &&"
            + " self.spec.tags.lastIndexOf('z') == -1",
        "self.spec.numbers.sum() == 6 && self.spec.numbers.min() == 1 && self.spec.numbers.max() =="
            + " 3",
        "self.spec.tags.all(t, t.size() == 1) && self.spec.tags.exists_one(t, t == 'a')",
        "self.spec.tags.map(t, t + '!').join(',') == 'a!,b!,c!'",
        "self.spec.labels.k == 'v' && 'k' in self.spec.labels && self.spec.labels.all(k, k != 'x')",
        "self.spec.name.find('[a-z]+') == 'node' && self.spec.name.findAll('[aeo]', 2) == ['o',"
            + " 'e']",
        "self.spec.name.split('-')[0].upperAscii() == 'NODE' &&"
            + " self.spec.name.matches('^node-[a-z]')",
        "'%s has %d of %.1f'.format([self.spec.name, self.spec.count, self.spec.ratio])"
            + " == 'node-a.example has 3 of 1.5'",
        "url('https://h:1/p?q=1').getHostname() == 'h' && url('https://h:1/p?q=1').getQuery()['q']"
            + " == ['1']",
        "isURL('https://h/') && !isURL('no url') && url('https://h:1/p').getPort() == '1'",
        "isIP('10.0.0.1') && !isIP('10.0.0') && ip('127.0.0.1').isLoopback() && ip('::1').family()"
            + " == 6",
        "cidr('10.0.0.0/8').containsIP('10.1.2.3') &&"
            + " !cidr('10.0.0.0/8').containsIP(ip('11.0.0.1'))",
        "cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8') && cidr('10.0.0.0/8').prefixLength() =="
            + " 8",
        "self.spec.__in__ == 'x' && self.spec.a__dash__b == 'y'",
        "self.?spec.name.orValue('none') == 'node-a.example'",
        "sets.contains(self.spec.tags, ['a', 'c']) && sets.intersects(self.spec.tags, ['z', 'a'])",
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
  void anOptionalOldValueIsThereOnCreationToo() throws IOException {
    String options = ", optionalOldSelf: true";
    String rule = "!oldSelf.hasValue() || oldSelf.value().spec.count == self.spec.count";
    assertThat(check(rule, options, OBJECT, null)).isEmpty();
    assertThat(check(rule, options, OBJECT, OBJECT.replace("3, \"ratio", "4, \"ratio"))).hasSize(1);
    assertThat(check("oldSelf.hasValue()", options, OBJECT, null)).hasSize(1);
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
      })
  void rulesThatDoNotCompileAreMistakes(String rule) throws IOException {
    SchemaRules rules = new SchemaRules(schema(rule, ""));
    assertThat(rules.mistakes())
        .singleElement()
        .satisfies(
            cause -> assertThat(cause.field()).isEqualTo(".x-kubernetes-validations[0].rule"));
  }

  private static List<Cause> check(String rule, String options, String object, String old)
      throws IOException {
    SchemaRules rules = new SchemaRules(schema(rule, options));
    assertThat(rules.mistakes()).isEmpty();
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
