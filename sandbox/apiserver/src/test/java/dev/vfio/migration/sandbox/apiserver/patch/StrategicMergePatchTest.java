package dev.vfio.migration.sandbox.apiserver.patch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Strategic merge patches: lists by key, sets by value, and the directives. */
class StrategicMergePatchTest {
  private static final Schema SCHEMA =
      Schema.parse(
          Json.parse(
              """
              {"type": "object", "properties": {
                "items": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"], "items": {"type": "object"}},
                "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "whole": {"type": "object", "x-kubernetes-map-type": "atomic"}}}
              """));

  @ParameterizedTest(name = "{0} with {1}")
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'a':1,'b':2} | {'a':null,'c':3} | {'b':2,'c':3}",
        "{'items':[{'name':'x','v':1},{'name':'y','v':1}]} | {'items':[{'name':'y','v':2}]}"
            + " | {'items':[{'name':'x','v':1},{'name':'y','v':2}]}",
        "{'items':[{'name':'x'}]} | {'items':[{'name':'z','v':1}]} |"
            + " {'items':[{'name':'x'},{'name':'z','v':1}]}",
        "{'items':[{'name':'x'},{'name':'y'}]} | {'items':[{'$patch':'delete','name':'x'}]} |"
            + " {'items':[{'name':'y'}]}",
        "{'items':[{'name':'x'},{'name':'y'}]} |"
            + " {'$setElementOrder/items':[{'name':'y'},{'name':'x'}],'items':[{'name':'y','v':2}]}"
            + " | {'items':[{'name':'y','v':2},{'name':'x'}]}",
        "{'set':['a','b']} | {'set':['b','c']} | {'set':['a','b','c']}",
        "{'set':['a','b']} | {'$deleteFromPrimitiveList/set':['a']} | {'set':['b']}",
        "{'list':[1,2]} | {'list':[3]} | {'list':[3]}",
        "{'whole':{'a':1}} | {'whole':{'b':2}} | {'whole':{'b':2}}",
        "{'m':{'a':1,'b':1}} | {'m':{'$retainKeys':['b'],'b':2}} | {'m':{'b':2}}",
      })
  void patches(String target, String patch, String expected) {
    assertThat(StrategicMergePatch.apply(json(target), json(patch), SCHEMA))
        .isEqualTo(json(expected));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{'items':[{'v':1}]} | does not contain declared merge key: name",
        "{'items':[{'$patch':'replace'},{'name':'q'}]} | does not contain declared merge key: name",
        "{'items':[{'$patch':'merge','name':'q'}]} | knows $patch: delete only",
        "{'m':{'$patch':'replace','b':2}} | does not know the directive $patch",
      })
  void patchesThatAreNotUnderstoodAreRefused(String patch, String message) {
    assertThatThrownBy(() -> StrategicMergePatch.apply(json("{'items':[]}"), json(patch), SCHEMA))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(message);
  }

  private static JsonNode json(String text) {
    return Json.parse(text.trim().replace('\'', '"'));
  }
}
