package dev.vfio.migration.operator;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What the operator refuses to start with. */
class OperatorMainTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "QUARKUS_PROFILE",
        "quarkus.profile",
        "SMALLRYE_CONFIG_PROFILE",
        "smallrye.config.profile",
        "MP_CONFIG_PROFILE",
        "mp.config.profile"
      })
  void aProfileInWhichNoLeaderIsElectedIsRefusedByName(String name) {
    for (String profile : new String[] {"test", "staging", "prod,staging"}) {
      assertThat(OperatorMain.profileRefusal(Map.of("PATH", "/bin", name, profile)))
          .hasValueSatisfying(
              refusal -> assertThat(refusal).startsWith(name + "=" + profile + " is set"));
    }
  }

  @Test
  void theProfilesThatElectALeaderAreTaken() {
    assertThat(OperatorMain.profileRefusal(Map.of())).isEmpty();
    assertThat(OperatorMain.profileRefusal(Map.of("QUARKUS_PROFILE", "prod"))).isEmpty();
    assertThat(OperatorMain.profileRefusal(Map.of("QUARKUS_PROFILE", ""))).isEmpty();
    assertThat(OperatorMain.profileRefusal(Map.of("quarkus.profile", "dev"))).isEmpty();
  }
}
