package dev.vfio.migration.vfio.json;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.json.StrictJson.MalformedException;

/** Any bytes are one JSON object, or are refused in one plain line. */
class StrictJsonFuzzTest {

  @FuzzTest(maxDuration = "1h")
  void anyBytesAreOneObjectOrAreRefused(byte[] bytes) {
    try {
      assertThat(StrictJson.object(bytes).isObject()).isTrue();
    } catch (MalformedException refused) {
      assertThat(refused.getMessage()).isNotBlank().matches(ForeignText::isPlain);
    }
  }
}
