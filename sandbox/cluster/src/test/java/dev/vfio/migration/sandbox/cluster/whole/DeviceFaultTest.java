package dev.vfio.migration.sandbox.cluster.whole;

import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Whatever a device does wrong is named in the condition, and the source runs on with every byte.
 */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class DeviceFaultTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "fail-buffer=PRECOPY@1048576:5 | DeviceReadFailed | node-a",
        "fail-buffer=STOPNCOPY@0:5 | DeviceReadFailed | node-a",
        "short-read=PRECOPY | DeviceReadFailed | node-a",
        "oversize-data=PRECOPY | DeviceProtocolViolation | data.size",
        "oversize-data=STOPNCOPY | DeviceProtocolViolation | data.size",
        "bad-offset=PRECOPY | DeviceProtocolViolation | data.offset",
        "bad-offset=PRECOPY:beyond | DeviceProtocolViolation | data.offset",
        "bad-offset=STOPNCOPY | DeviceProtocolViolation | data.offset",
        "never-dry | DeviceNeverDry | node-a"
      })
  void aFaultOfTheSourceIsNamedAndFailsTheMigration(
      String fault, String reason, String message, TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("source-fault").sourceFault(fault).begin()) {
      scenario.failed(reason, message, scenario.name());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "fail-buffer=RESUME@0:5 | DeviceWriteFailed | node-b",
        "fail-buffer=RESUME@2097152:5 | DeviceWriteFailed | node-b"
      })
  void aFaultOfTheDestinationIsNamedAndFailsTheMigration(
      String fault, String reason, String message, TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("destination-fault").destinationFault(fault).begin()) {
      scenario.failed(reason, message, scenario.name());
    }
  }

  /** Where the log of dirty pages cannot be trusted, all pages are dirty: slower, and right. */
  @ParameterizedTest
  @CsvSource({"bad-bitmap", "bad-bitmap=bits", "copied-beyond-total"})
  void aDirtyPageLogThatLiesIsNotBelieved(String fault, TestCluster cluster) throws Exception {
    try (Scenario scenario = cluster.scenario("bitmap").sourceFault(fault).begin()) {
      scenario.endedSafely();
    }
  }
}
