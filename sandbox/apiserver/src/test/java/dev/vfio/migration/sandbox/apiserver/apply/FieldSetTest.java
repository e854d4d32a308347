package dev.vfio.migration.sandbox.apiserver.apply;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sets of fields, and how trees with merging lists are merged. */
class FieldSetTest {
  private static final Schema SCHEMA =
      Schema.parse(
          Json.parse(
              """
              {"type": "object", "properties": {
                "l": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                      "items": {"type": "object", "properties": {"k": {"type": "string"}, "v": {"type": "integer"}}}},
                "s": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "a": {"type": "array", "items": {"type": "integer"}},
                "m": {"type": "object", "additionalProperties": {"type": "string"}},
                "o": {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}}}
              """));

  @Test
  void theTextFormRoundTrips() {
    JsonNode text =
        json(
            "{'f:a':{},'f:o':{'.':{},'f:x':{}},'f:l':{'k:{\\\"k\\\":\\\"1\\\"}':{'.':{},'f:v':{}}}}");
    FieldSet set = FieldSet.parse(text);
    assertThat(set.toFieldsV1()).isEqualTo(text);
    assertThat(set.union(FieldSet.EMPTY)).isEqualTo(set);
    assertThat(set.minus(set).isEmpty()).isTrue();
    assertThat(set.intersection(set)).isEqualTo(set);
  }

  @Test
  void everyLeafEntryAndItemIsOwned() {
    FieldSet set =
        TypedTree.fieldSet(
            json("{'l':[{'k':'1','v':2}],'s':['x'],'a':[1],'m':{'q':'z'},'o':{'x':1}}"), SCHEMA);
    assertThat(set.paths().stream().map(PathElement::display))
        .containsExactlyInAnyOrder(
            ".a", ".l[k=\"1\"]", ".l[k=\"1\"].k", ".l[k=\"1\"].v", ".m.q", ".o.x", ".s[=\"x\"]");
  }

  @ParameterizedTest(name = "{0} and {1}")
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'o':{'x':1}} | {'o':{'y':2}} | {'o':{'x':1,'y':2}}",
        "{'a':[1,2]} | {'a':[3]} | {'a':[3]}",
        "{'s':['a','b']} | {'s':['c']} | {'s':['a','b','c']}",
        "{'s':['a','b','c']} | {'s':['c','a']} | {'s':['b','c','a']}",
        "{'l':[{'k':'1','v':1}]} | {'l':[{'k':'2'},{'k':'1','v':9}]} |"
            + " {'l':[{'k':'2'},{'k':'1','v':9}]}",
      })
  void mergesLayTheAppliedOverTheLive(String live, String applied, String expected) {
    assertThat(TypedTree.merge(json(live), json(applied), SCHEMA)).isEqualTo(json(expected));
  }

  @Test
  void comparisonsTellAddedModifiedAndRemoved() {
    TypedTree.Comparison comparison =
        TypedTree.compare(
            json("{'o':{'x':1,'y':1},'s':['a']}"),
            json("{'o':{'x':2},'s':['a','b'],'m':{'n':'1'}}"),
            SCHEMA);
    assertThat(comparison.modified().paths())
        .extracting(PathElement::display)
        .containsExactly(".o.x");
    assertThat(comparison.removed().paths())
        .extracting(PathElement::display)
        .containsExactly(".o.y");
    assertThat(comparison.added().paths())
        .extracting(PathElement::display)
        .containsExactly(".m", ".m.n", ".s[=\"b\"]");
  }

  private static JsonNode json(String text) {
    return Json.parse(text.trim().replace('\'', '"'));
  }
}
