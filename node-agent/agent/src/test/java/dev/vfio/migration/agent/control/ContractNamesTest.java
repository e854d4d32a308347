package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.Arrays;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;

/** Our enums and the contract's are the same but for "unspecified" and "not known". */
class ContractNamesTest {

  private static void assertSame(Enum<?>[] ours, Enum<?>[] contract) {
    Predicate<String> real = name -> !name.endsWith("UNSPECIFIED") && !name.equals("UNRECOGNIZED");
    assertThat(Arrays.stream(ours).map(Enum::name))
        .containsExactlyInAnyOrderElementsOf(
            Arrays.stream(contract).map(Enum::name).filter(real).toList());
  }

  @Test
  void everyNameHasItsCounterpart() {
    assertSame(SessionState.values(), dev.vfio.migration.contract.v1.SessionState.values());
    assertSame(Reason.values(), dev.vfio.migration.contract.v1.Reason.values());
    assertSame(Role.values(), dev.vfio.migration.contract.v1.Role.values());
    assertSame(DeviceState.values(), dev.vfio.migration.contract.v1.DeviceState.values());
    assertSame(
        MigrationInterface.values(), dev.vfio.migration.contract.v1.MigrationInterface.values());
  }

  @Test
  void everyStateOfAWorkloadHasItsCounterpart() {
    for (WorkloadState state : WorkloadState.values()) {
      assertThat(ContractMapping.workloadState(state).name()).isEqualTo("WORKLOAD_" + state);
    }
  }
}
