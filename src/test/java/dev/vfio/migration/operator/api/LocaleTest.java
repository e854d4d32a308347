package dev.vfio.migration.operator.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.Quantity;
import java.time.Duration;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is read and written is the same in every locale of the process. */
class LocaleTest {
  private final Locale before = Locale.getDefault();

  @AfterEach
  void restore() {
    Locale.setDefault(before);
  }

  @ParameterizedTest
  @ValueSource(strings = {"tr-TR", "ar-EG-u-nu-arab", "th-TH-u-ca-buddhist-nu-thai", "de-DE"})
  void quantitiesDurationsAndPhasesReadTheSame(String locale) {
    Locale.setDefault(Locale.forLanguageTag(locale));
    assertThat(ByteSize.parse(new Quantity("64Mi"))).isEqualTo(64L << 20);
    assertThat(ByteSize.format(1536L << 20)).isEqualTo("1.5Gi");
    assertThat(ByteSize.formatRate(1536L << 20)).isEqualTo("1.5Gi/s");
    assertThat(GoDuration.parse("1m30.5s")).isEqualTo(Duration.ofMillis(90_500));
    assertThat(GoDuration.format(Duration.ofSeconds(90))).isEqualTo("1m30s");
    assertThat(Phase.ACTION_REQUIRED.text()).isEqualTo("ActionRequired");
    assertThat(Convergence.Mode.LIVE.name()).isEqualTo("LIVE");
  }
}
