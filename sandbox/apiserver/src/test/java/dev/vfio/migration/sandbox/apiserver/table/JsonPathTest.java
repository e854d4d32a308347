package dev.vfio.migration.sandbox.apiserver.table;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.time.Duration;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The paths of printer columns, and the ages beside them. */
class JsonPathTest {
  private static final JsonNode OBJECT =
      Json.parse(
          """
          {"spec": {"n": 3, "list": [{"k": "a"}, {"k": "b"}]},
           "metadata": {"labels": {"x.y/z": "dotted"}},
           "status": {"conditions": [{"type": "A", "status": "False"}, {"type": "Ready", "status": "True"}]}}
          """);

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        ".spec.n | [3]",
        ".spec['n'] | [3]",
        ".spec.list[1].k | [`b`]",
        ".spec.list[*].k | [`a`,`b`]",
        ".metadata.labels.x\\.y/z | [`dotted`]",
        ".metadata.labels['x\\.y/z'] | [`dotted`]",
        ".status.conditions[?(@.type==\"Ready\")].status | [`True`]",
        ".spec.nowhere.x | []",
      })
  void pathsFind(String path, String expected) {
    assertThat(Json.text(Json.mapper().valueToTree(JsonPath.parse(path).find(OBJECT))))
        .isEqualTo(expected.replace('`', '"'));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "spec", ".spec[", ".spec[x]", ".spec.", ".a[?(b==1)]", ".a..b", ".a[-1]"})
  void otherTextsAreNoPaths(String path) {
    assertThatThrownBy(() -> JsonPath.parse(path)).isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0s",
    "119, 119s",
    "120, 2m",
    "200, 3m20s",
    "660, 11m",
    "10800, 3h",
    "12000, 3h20m",
    "172800, 2d",
    "180000, 2d2h",
    "864000, 10d",
    "94608000, 3y"
  })
  void agesAreShort(long seconds, String expected) {
    assertThat(Age.shortly(Duration.ofSeconds(seconds))).isEqualTo(expected);
  }
}
