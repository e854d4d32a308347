package dev.vfio.migration.agent.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.vfio.workload.DeclaredWindows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Unknown connections get what sessions and looks leave. */
class DescriptorBudgetTest {
  private static DescriptorBudget of(long limit) {
    return DescriptorBudget.of(limit, 16, StreamSettings.defaults());
  }

  @ParameterizedTest
  @ValueSource(longs = {2700, 3000, 4096, 20_000, 1_048_576, Long.MAX_VALUE})
  void allTogetherFitIntoTheLimit(long limit) {
    DescriptorBudget budget = of(limit);
    assertThat(budget.suffices()).isTrue();
    assertThat(budget.kept()).isEqualTo(512 + 256 + 16 * (64 + 16));
  }

  @Test
  void whereThereAreEnoughTheNumbersAreThoseOfTheDocs() {
    assertThat(of(20_000))
        .hasToString(
            "file descriptors: 20000 may be open, 2048 are kept for sessions and looks at devices,"
                + " besides those of 3336 windows; unknown connections in each stage of a greeting:"
                + " state 256 (128 of one address), control 64 (16 of one address), health 64 (16"
                + " of one address)");
  }

  @Test
  void whereThereAreFewAMigrationAndAProbeStillGetIn() {
    DescriptorBudget budget = of(1024);
    assertThat(budget.suffices()).isFalse();
    assertThat(budget.state().mostPerAddress()).isGreaterThanOrEqualTo(16);
    assertThat(budget.control().mostPerAddress()).isGreaterThanOrEqualTo(4);
    assertThat(budget.health().mostPerAddress()).isGreaterThanOrEqualTo(4);
  }

  /** Each session may have as many as the protocol allows, where there are descriptors for them. */
  @ParameterizedTest
  @ValueSource(longs = {2700, 4096, 20_000, 1_048_576, Long.MAX_VALUE})
  void windowsGetWhatIsLeftAndNoMore(long limit) {
    DescriptorBudget budget = of(limit);
    long others =
        budget.kept()
            + budget.state().descriptors()
            + budget.control().descriptors()
            + budget.health().descriptors();
    assertThat(budget.windows()).isBetween(32, 16 * DeclaredWindows.MAX_WINDOWS);
    assertThat(others + DescriptorBudget.OF_A_WINDOW * (long) budget.windows())
        .isLessThanOrEqualTo(Math.max(limit, others + 64));
    if (limit >= 1_048_576) {
      assertThat(budget.windows()).isEqualTo(16 * DeclaredWindows.MAX_WINDOWS);
    }
  }
}
