package dev.vfio.migration.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.admission.AdminNamespaces;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class OperatorConfigTest {
  private static OperatorConfig config(String... pairs) {
    SmallRyeConfigBuilder builder = new SmallRyeConfigBuilder().withMapping(OperatorConfig.class);
    for (int at = 0; at < pairs.length; at += 2) {
      builder.withDefaultValue(pairs[at], pairs[at + 1]);
    }
    builder.withConverter(
        Duration.class, 200, new io.quarkus.runtime.configuration.DurationConverter());
    return builder.build().getConfigMapping(OperatorConfig.class);
  }

  @Test
  void defaultsAreThoseOfTheReferencePage() {
    OperatorConfig config = config();
    assertThat(config.namespace()).isEqualTo("vfio-migration");
    assertThat(config.agentSelector()).isEqualTo("app.kubernetes.io/component=node-agent");
    assertThat(config.adminNamespaces()).isEmpty();
    assertThat(config.tlsDirectory()).isEqualTo(Path.of("/etc/vfio-migration/tls"));
    assertThat(config.callTimeout()).isEqualTo(Duration.ofSeconds(10));
    assertThat(config.statusInterval()).isEqualTo(Duration.ofSeconds(1));
    assertThat(config.inventoryPeriod()).isEqualTo(Duration.ofSeconds(30));
    assertThat(config.forgetNodeAfter()).isEqualTo(Duration.ofMinutes(10));
    assertThat(config.lease().name()).isEqualTo("vfio-migration-operator");
    assertThat(config.lease().duration()).isEqualTo(Duration.ofSeconds(15));
    assertThat(config.lease().renewDeadline()).isEqualTo(Duration.ofSeconds(10));
    assertThat(config.lease().retryPeriod()).isEqualTo(Duration.ofSeconds(2));
  }

  @Test
  void everythingCanBeSet() {
    OperatorConfig config =
        config("operator.namespace", "elsewhere", "operator.lease.duration", "3s");
    assertThat(config.namespace()).isEqualTo("elsewhere");
    assertThat(config.lease().duration()).isEqualTo(Duration.ofSeconds(3));
  }

  @Test
  void withoutAListTheOperatorsOwnNamespaceAloneIsAllowed() {
    AdminNamespaces own = OperatorParts.adminNamespaces(config("operator.namespace", "elsewhere"));
    assertThat(own.allow("elsewhere")).isTrue();
    assertThat(own.allow("default")).isFalse();

    AdminNamespaces listed =
        OperatorParts.adminNamespaces(config("operator.admin-namespaces", "ops,team-a"));
    assertThat(listed.allow("team-a")).isTrue();
    assertThat(listed.allow("vfio-migration")).isFalse();
  }

  @Test
  void anEmptyListMeansNoOtherNamespace() {
    AdminNamespaces own = OperatorParts.adminNamespaces(config("operator.admin-namespaces", ""));
    assertThat(own.allow("vfio-migration")).isTrue();
    assertThat(own.allow("default")).isFalse();
  }

  @Test
  void aListThatCannotBeMeantStopsTheOperator() {
    assertThatThrownBy(
            () -> OperatorParts.adminNamespaces(config("operator.admin-namespaces", "Team A")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith("operator.admin-namespaces: 'Team A' is neither");
  }

  @ParameterizedTest
  @CsvSource({
    "operator.call-timeout, 0s",
    "operator.call-timeout, -1s",
    "operator.status-interval, -1s",
    "operator.inventory-period, 0s",
    "operator.forget-node-after, 0s",
    "operator.lease.retry-period, 0s",
    "operator.lease.renew-deadline, 1s",
    "operator.lease.duration, 10s",
  })
  void whatCannotWorkIsRefusedByName(String name, String value) {
    SettingsCheck.check(config());
    assertThatThrownBy(() -> SettingsCheck.check(config(name, value)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name + " is '")
        .hasMessageContaining("must");
  }
}
