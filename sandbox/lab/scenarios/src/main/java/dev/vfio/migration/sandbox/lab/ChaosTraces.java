package dev.vfio.migration.sandbox.lab;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * What our module wrote down in one round, where the devices are its: which device worked when.
 *
 * @param sourceSince clock of the source's guest at the begin of the round, nanoseconds
 * @param destinationSince that of the destination's
 */
record ChaosTraces(long sourceSince, long destinationSince) {

  static ChaosTraces begin(ChaosPair pair) throws IOException, InterruptedException {
    return new ChaosTraces(now(pair.source().node()), now(pair.destination().node()));
  }

  private static long now(GuestNode node) throws IOException, InterruptedException {
    return Long.parseLong(node.run("date +%s%N").get(0).strip());
  }

  /**
   * What must not be.
   *
   * @param moved whether the device is the destination's
   * @param idle whether no device need work
   */
  List<String> findings(ChaosPair pair, boolean moved, boolean idle)
      throws IOException, InterruptedException {
    if (!pair.source().kind().ours()) {
      return List.of();
    }
    List<String> found = new ArrayList<>();
    DeviceTrace left = DeviceTrace.of(pair.source()).since(sourceSince);
    DeviceTrace right = DeviceTrace.of(pair.destination()).since(destinationSince);
    OptionalLong stopped = left.lastStopped();
    OptionalLong worked = right.firstWorked();
    if (!moved && worked.isPresent()) {
      found.add("the destination's device worked, and it is not its own: " + right.states());
    }
    if (moved && !left.states().isEmpty() && left.working()) {
      found.add("the source's device works, and it is the destination's: " + left.states());
    }
    if (moved && stopped.isPresent() && worked.isPresent()) {
      try {
        GuestClock.requireBefore(
            pair.source().node(),
            stopped.getAsLong(),
            pair.destination().node(),
            worked.getAsLong());
      } catch (IOException e) {
        found.add(e.getMessage());
      }
    }
    DeviceTrace owners = moved ? right : left;
    if (!idle && !owners.working()) {
      found.add("the owner's device does not work; the states written: " + owners.states());
    }
    return found;
  }
}
