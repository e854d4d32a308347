package dev.vfio.migration.vfio.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** Exactly the changes of state that the interface's text allows are allowed. */
class TransitionRulesTest {

  @Test
  void thePathsOfTheTextAndNoOthers() {
    Set<String> allowed = new TreeSet<>();
    path(allowed, "NONE RUNNING SETUP PRECOPY STOPNCOPY SAVE_COMPLETED");
    path(allowed, "SETUP STOPNCOPY");
    path(allowed, "NONE RESUME RESUME_COMPLETED RUNNING");
    path(allowed, "RUNNING RESUME");
    path(allowed, "SETUP CANCELLED RUNNING");
    path(allowed, "PRECOPY CANCELLED");
    path(allowed, "STOPNCOPY CANCELLED");
    path(allowed, "FAILED RUNNING");
    for (DeviceState any : DeviceState.values()) {
      path(allowed, any + " FAILED");
    }

    Set<String> found = new TreeSet<>();
    for (DeviceState from : DeviceState.values()) {
      for (DeviceState to : DeviceState.values()) {
        if (TransitionRules.allows(from, to)) {
          found.add(from + " " + to);
        }
      }
    }
    assertThat(found).isEqualTo(allowed);
  }

  private static void path(Set<String> allowed, String states) {
    String[] names = states.split(" ");
    for (int i = 1; i < names.length; i++) {
      allowed.add(names[i - 1] + " " + names[i]);
    }
  }
}
