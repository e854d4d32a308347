package dev.vfio.migration.operator.record;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import org.junit.jupiter.api.Test;

/** A person hears of a device that was released without the reset that it needs. */
class ResetFailedEventTest {

  private static DeviceMigrationStatus status(String condition, String reason)
      throws JsonProcessingException {
    return new ObjectMapper()
        .readValue(
            """
            {"phase": "Succeeded", "conditions": [
              {"type": "%s", "status": "False", "reason": "%s", "message": "Reset it: echo 1"}]}
            """
                .formatted(condition, reason),
            DeviceMigrationStatus.class);
  }

  @Test
  void aDeviceThatWasNotResetIsOneEventAtEitherEnd() throws JsonProcessingException {
    for (String condition : new String[] {"SourceReady", "DestinationReady"}) {
      DeviceMigrationStatus before = status(condition, "CleaningUp");
      DeviceMigrationStatus after = status(condition, "ResetFailed");
      assertThat(EventDifference.between(before, after))
          .containsExactly(
              new EventDifference.Difference(EventReason.RESET_FAILED, "Reset it: echo 1"));
      assertThat(EventDifference.between(after, after)).isEmpty();
    }
    assertThat(EventReason.RESET_FAILED.warning()).isTrue();
  }
}
