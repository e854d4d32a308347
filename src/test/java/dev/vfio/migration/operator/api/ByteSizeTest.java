package dev.vfio.migration.operator.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.spec.InvalidSpecException;
import dev.vfio.migration.operator.spec.Settings;
import io.fabric8.kubernetes.api.model.Quantity;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ByteSizeTest {

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "512Mi, 536870912",
    "1Gi, 1073741824",
    "1.5Ki, 1536",
    "2k, 2000",
    "999999.999Ti, 1099511626676511"
  })
  void readsQuantitiesAndPlainBytes(String text, long atLeast) {
    assertThat(ByteSize.parse(new Quantity(text))).isGreaterThanOrEqualTo(atLeast);
  }

  @Test
  void refusesNegativeAndEndlessSizes() {
    assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(new Quantity("-1")));
    assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(new Quantity("16Ei")));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "512, 512",
    "1023, 1Ki",
    "1024, 1Ki",
    "13107200, 12.5Mi",
    "1073741824, 1Gi",
    "8589934592, 8Gi",
    "9223372036854775807, 8Ei"
  })
  void writesThreeDigitsAndABinaryUnit(long bytes, String text) {
    assertThat(ByteSize.format(bytes)).isEqualTo(text);
  }

  /** Written out, such a number fills the memory of this machine and takes hours. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "1e99999999",
        "1e-99999999",
        "1E999999999",
        "-1e2147483647",
        "0e99999999",
        "1e100",
        "1e99",
        "1e\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669",
        "1e9\uff19\uff19\uff19\uff19\uff19\uff19",
        "1E-\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669"
      })
  @Timeout(value = 60, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
  void aHugeExponentIsRefusedAtOnce(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(new Quantity(text)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"0x10", " 1Gi", "1Gi ", "NaN", "Infinity", "\u0661Gi", "", "Gi", "1e1e1"})
  void refusesWhatIsNoSize(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> ByteSize.parse(new Quantity(text)));
  }

  @Test
  @Timeout(120)
  void aSpecWithAHugeExponentSaysSoAndCanBeCompared() {
    String spec =
        "{\"spec\":{\"source\":{\"nodeName\":\"a\",\"device\":\"vfio-user:x\"},"
            + "\"destination\":{\"nodeName\":\"b\",\"device\":\"vfio-user:x\"},"
            + "\"transfer\":{\"bandwidthLimit\":%s},\"convergence\":{\"thresholdBytes\":%s}}}";
    for (String size : new String[] {"\"1e99999999\"", "\"1e-99999999\"", "1e999999999"}) {
      DeviceMigration first =
          Serialization.unmarshal(spec.formatted(size, "1"), DeviceMigration.class);
      DeviceMigration second =
          Serialization.unmarshal(spec.formatted("1", size), DeviceMigration.class);
      assertThat(first.getSpec().hashCode()).isNotEqualTo(second.getSpec().hashCode());
      for (DeviceMigration migration : List.of(first, second)) {
        assertThatThrownBy(() -> Settings.of(migration.getSpec()))
            .isInstanceOf(InvalidSpecException.class);
        assertThat(Settings.remainsOf(migration.getSpec())).isPresent();
      }
    }
  }
}
