package dev.vfio.migration.sandbox.cluster.evidence;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The judge of the handover finds what is wrong, and nothing where nothing is. */
class HandoverEvidenceTest {
  @TempDir Path directory;
  private final StringBuilder source = new StringBuilder();
  private final StringBuilder destination = new StringBuilder();

  @BeforeEach
  void bothBegin() {
    source(10, "\"event\":\"ready\"");
    source(11, state("NONE", "RUNNING"));
    source(12, workload("running"));
    destination(10, "\"event\":\"ready\"");
    destination(11, workload("waiting"));
  }

  private void moved() {
    source(100, state("RUNNING", "SETUP"));
    destination(110, state("NONE", "RESUME"));
    source(120, state("SETUP", "PRECOPY"));
    source(200, workload("paused"));
    source(210, state("PRECOPY", "STOPNCOPY"));
    destination(230, state("RESUME", "RESUME_COMPLETED"));
    destination(250, state("RESUME_COMPLETED", "RUNNING"));
    destination(255, workload("running"));
    source(260, state("STOPNCOPY", "SAVE_COMPLETED"));
    source(270, workload("released"));
  }

  @Test
  void aMoveKeepsEveryRuleAndHasItsDowntime() throws Exception {
    moved();
    HandoverEvidence evidence = read();

    assertThat(evidence.violations()).isEmpty();
    assertThat(evidence.downtimeNanos()).hasValue(50);
  }

  @Test
  void aMoveThatWasRolledBackKeepsEveryRuleAndHasAPause() throws Exception {
    source(100, state("RUNNING", "SETUP"));
    destination(110, state("NONE", "RESUME"));
    source(200, workload("paused"));
    source(210, state("SETUP", "STOPNCOPY"));
    destination(230, state("RESUME", "FAILED"));
    source(260, state("STOPNCOPY", "FAILED"));
    source(270, state("FAILED", "RUNNING"));
    source(280, workload("running"));
    HandoverEvidence evidence = read();

    assertThat(evidence.violations()).isEmpty();
    assertThat(evidence.downtimeNanos()).isEmpty();
    assertThat(evidence.pauseNanos()).isEqualTo(OptionalLong.of(80));
  }

  @Test
  void twoDevicesThatRunAtOnceBreakH1() throws Exception {
    source(200, workload("paused"));
    destination(230, state("RESUME_COMPLETED", "RUNNING"));
    source(260, state("RUNNING", "STOPNCOPY"));

    assertThat(read().neverBothRunning())
        .hasValue("H1 broken: both devices ran from t=230 to t=260");
  }

  @Test
  void aDeviceThatIsCopiedWhileTheOtherRunsBreaksH1() throws Exception {
    source(100, state("RUNNING", "PRECOPY"));
    destination(230, state("RESUME_COMPLETED", "RUNNING"));

    assertThat(read().neverBothRunning())
        .hasValue("H1 broken: both devices ran from t=230 until now");
  }

  @Test
  void aSourceThatComesBackAfterTheDestinationRanBreaksH1() throws Exception {
    moved();
    source(300, state("SAVE_COMPLETED", "RUNNING"));

    assertThat(read().neverBothRunning())
        .hasValueSatisfying(
            text -> assertThat(text).contains("both devices ran from t=300 until now"));
    assertThat(read().violations()).hasSize(2);
  }

  @Test
  void twoWorkloadsThatRunAtOnceBreakH1() throws Exception {
    source(210, state("RUNNING", "STOPNCOPY"));
    destination(230, state("RESUME", "RUNNING"));
    destination(240, workload("running"));
    source(250, workload("paused"));

    assertThat(read().neverBothRunning())
        .hasValue("H1 broken: both workloads ran from t=240 to t=250");
  }

  @Test
  void aDeviceThatRunsFromTheFirstLineOnIsKnownByTheStateItLeaves() throws Exception {
    source.setLength(0);
    source(10, "\"event\":\"ready\"");
    source(300, state("RUNNING", "STOPNCOPY"));
    destination(230, state("RESUME", "RUNNING"));

    assertThat(read().neverBothRunning())
        .hasValue("H1 broken: both devices ran from t=230 to t=300");
  }

  @Test
  void aSourceThatLetsGoBeforeTheDestinationHasLoadedBreaksH2() throws Exception {
    source(210, state("RUNNING", "STOPNCOPY"));
    source(220, state("STOPNCOPY", "SAVE_COMPLETED"));
    destination(230, state("RESUME", "RESUME_COMPLETED"));

    assertThat(read().neverDiscardedTooEarly())
        .hasValueSatisfying(
            text -> assertThat(text).startsWith("H2 broken: the source went into SAVE_COMPLETED"));
  }

  @Test
  void aDestinationThatDiscardsWhatTheSourceHasGivenUpBreaksH2() throws Exception {
    source(210, state("RUNNING", "STOPNCOPY"));
    destination(220, state("RESUME", "RESUME_COMPLETED"));
    source(230, state("STOPNCOPY", "SAVE_COMPLETED"));
    destination(240, state("RESUME_COMPLETED", "FAILED"));

    assertThat(read().neverDiscardedTooEarly())
        .hasValueSatisfying(
            text -> assertThat(text).contains("from RESUME_COMPLETED to FAILED at t=240"));
  }

  @Test
  void nobodyRunningBreaksH3() throws Exception {
    source(200, workload("paused"));
    source(210, state("RUNNING", "STOPNCOPY"));

    assertThat(read().exactlyOneRunsNow())
        .hasValue(
            "H3 broken: the source's device does not run, its workload does not run; "
                + "the destination's device does not run, its workload does not run");
    assertThat(read().pauseNanos()).isEmpty();
  }

  @Test
  void aDeviceThatRunsWithoutItsWorkloadBreaksH3() throws Exception {
    source(200, workload("paused"));

    assertThat(read().exactlyOneRunsNow()).isPresent();
  }

  @Test
  void aLineThatIsStillBeingWrittenIsLeftOut() throws Exception {
    moved();
    source.append("{\"t\":300,\"eve");

    assertThat(read().violations()).isEmpty();
  }

  @Test
  void aBrokenLineIsNotPassedOver() {
    source.append("rubbish\n");

    assertThatThrownBy(this::read)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("not JSON: rubbish");
  }

  private HandoverEvidence read() throws IOException {
    Path here = directory.resolve("source.log");
    Path there = directory.resolve("destination.log");
    Files.writeString(here, source);
    Files.writeString(there, destination);
    return HandoverEvidence.read(new DeviceLog(here), new DeviceLog(there));
  }

  private void source(long nanos, String rest) {
    line(source, "node-a", nanos, rest);
  }

  private void destination(long nanos, String rest) {
    line(destination, "node-b", nanos, rest);
  }

  private static void line(StringBuilder log, String node, long nanos, String rest) {
    log.append("{\"t\":%d,\"node\":\"%s\",\"device\":\"gpu-0\",%s}\n".formatted(nanos, node, rest));
  }

  private static String state(String from, String to) {
    return "\"event\":\"state\",\"from\":\"%s\",\"to\":\"%s\"".formatted(from, to);
  }

  private static String workload(String to) {
    return "\"event\":\"workload\",\"to\":\"%s\",\"step\":7".formatted(to);
  }
}
