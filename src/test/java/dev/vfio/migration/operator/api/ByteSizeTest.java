package dev.vfio.migration.operator.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.fabric8.kubernetes.api.model.Quantity;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

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
}
