package dev.vfio.migration.sandbox.demo;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.sandbox.cluster.console.DeviceConsole.Continuity;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.evidence.HandoverEvidence;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The demo says success exactly where what was asked for happened and nothing was lost. */
class DemoResultTest {
  private static final Optional<Continuity> CONTINUITY =
      Optional.of(new Continuity(true, "every step once", 900));

  private final List<DeviceEvent> source = new ArrayList<>();
  private final List<DeviceEvent> destination = new ArrayList<>();

  @Test
  void aMoveIsWhatWasAskedFor() throws Exception {
    moved();
    DemoResult ending = ending(options(), "Succeeded", CONTINUITY);

    assertThat(ending.objections()).isEmpty();
    assertThat(ending.result())
        .isEqualTo(
            "RESULT phase=Succeeded transferredBytes=1048576 dirtyPages=17 downtimeMs=2.5"
                + " continuity=ok");
  }

  @Test
  void aFailureThatWasAskedForMustHaveBeenTheDevices() throws Exception {
    rolledBack();
    assertThat(ending(options("--fail-at=RESUME"), "Failed", CONTINUITY).objections())
        .containsExactly("the destination's device never did fail-buffer=RESUME@67108864:5");

    event(destination, 25, "{\"event\":\"fault\"}");
    DemoResult ending = ending(options("--fail-at=RESUME"), "Failed", CONTINUITY);
    assertThat(ending.objections()).isEmpty();
    assertThat(ending.result()).contains("phase=Failed").contains("downtimeMs=3.0 continuity=ok");
  }

  @Test
  void aMoveIsNotWhatWasAskedForWhereACancelWas() throws Exception {
    moved();
    assertThat(ending(options("--cancel-at=PRECOPY"), "Succeeded", CONTINUITY).objections())
        .first()
        .isEqualTo("the migration ended as Succeeded, and Cancelled was asked for");
  }

  @Test
  void aFailureIsReportedWithTheReasonOfTheCondition() throws Exception {
    rolledBack();
    assertThat(ending(options(), "Failed", CONTINUITY).objections())
        .contains("Succeeded is False: StreamBroken: the stream ended early");
  }

  @Test
  void lostStepsAreAFailureWhateverTheStatusSays() throws Exception {
    moved();
    DemoResult ending =
        ending(
            options(), "Succeeded", Optional.of(new Continuity(false, "step 7 is missing", 900)));

    assertThat(ending.objections()).containsExactly("steps or bytes were lost: step 7 is missing");
    assertThat(ending.result()).endsWith("continuity=broken");
  }

  @Test
  void twoOwnersAreAFailureWhateverTheStatusSays() throws Exception {
    event(source, 10, state("NONE", "RUNNING"));
    event(source, 10, workload("running"));
    event(source, 20, workload("paused"));
    event(destination, 30, state("RESUME_COMPLETED", "RUNNING"));
    event(destination, 30, workload("running"));

    assertThat(ending(options(), "Succeeded", CONTINUITY).objections())
        .anySatisfy(text -> assertThat(text).startsWith("H1 broken: both devices ran"));
  }

  @Test
  void aWorkloadThatRunsNowhereIsAFailure() throws Exception {
    rolledBack();
    DemoResult ending = ending(options("--cancel-at=SETUP"), "Cancelled", Optional.empty());

    assertThat(ending.objections())
        .contains("no device runs the workload, so nothing can be said about continuity");
    assertThat(ending.result()).endsWith("continuity=unknown");
  }

  private void moved() throws Exception {
    event(source, 10, state("NONE", "RUNNING"));
    event(source, 10, workload("running"));
    event(source, 1_000_000, workload("paused"));
    event(source, 1_000_010, state("RUNNING", "STOPNCOPY"));
    event(destination, 1_000_020, state("RESUME", "RESUME_COMPLETED"));
    event(destination, 3_500_000, state("RESUME_COMPLETED", "RUNNING"));
    event(destination, 3_500_010, workload("running"));
  }

  private void rolledBack() throws Exception {
    event(source, 10, state("NONE", "RUNNING"));
    event(source, 10, workload("running"));
    event(source, 1_000_000, workload("paused"));
    event(source, 1_000_010, state("RUNNING", "STOPNCOPY"));
    event(source, 3_900_000, state("FAILED", "RUNNING"));
    event(source, 4_000_000, workload("running"));
  }

  private DemoResult ending(DemoOptions options, String phase, Optional<Continuity> continuity)
      throws Exception {
    String status =
        """
        {"status": {"phase": "%s", "transferredBytes": 1048576, "dirtyPages": 17, "conditions": [
          {"type": "Succeeded", "status": "False", "reason": "StreamBroken",
           "message": "the stream ended early"}]}}
        """
            .formatted(phase);
    return new DemoResult(
        Expectation.of(options),
        MigrationView.of(new ObjectMapper().readTree(status)),
        new HandoverEvidence(List.copyOf(source), List.copyOf(destination)),
        continuity);
  }

  private static DemoOptions options(String... arguments) throws Exception {
    return DemoOptions.parse(arguments);
  }

  private static void event(List<DeviceEvent> log, long nanos, String json) throws Exception {
    var fields = new ObjectMapper().readTree(json);
    log.add(new DeviceEvent(nanos, "node", "gpu-0", fields.get("event").asText(), fields));
  }

  private static String state(String from, String to) {
    return "{\"event\":\"state\",\"from\":\"%s\",\"to\":\"%s\"}".formatted(from, to);
  }

  private static String workload(String to) {
    return "{\"event\":\"workload\",\"to\":\"%s\"}".formatted(to);
  }
}
