package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Switchover;
import dev.vfio.migration.operator.api.Timeouts;
import java.util.List;

/**
 * The control plane: two replicas of the operator, the lease that one of them has at a time while
 * the other one may still believe that it has it, the API server, and the user who wrote the object
 * and may cancel it, delete it, or release a switchover.
 */
final class Operator {
  static final String NAMESPACE = "default";
  static final String NAME = "move";
  static final String UID = "move";

  private static final long FIRST_NUMBER = 1L << 60;
  private static final int LEASE_NANOS = 60_000_000;
  private static final int STOPPED_NANOS = 100_000_000;

  private final World world;
  private final Chance chance;
  private final ModelApiServer api;
  private final List<Replica> replicas;
  private final SessionKey key = new SessionKey(UID, 1);
  private final boolean userCancels;
  private final boolean userDeletes;
  private final boolean manual;
  private final boolean takesBack;
  private boolean hasty;

  /** Who has the lease; null while nobody has. */
  private Replica holder;

  /** Until when a leader that is gone keeps the lease. */
  private long leaseUntil;

  private int cancelAtTurn = Integer.MAX_VALUE;
  private boolean elects = true;

  Operator(World world, Chance chance) {
    this.world = world;
    this.chance = chance;
    this.userCancels = chance.oneIn(5);
    this.userDeletes = chance.oneIn(10);
    this.manual = chance.oneIn(2);
    this.takesBack = chance.oneIn(2);
    this.api = new ModelApiServer(world, chance, spec(chance));
    this.replicas =
        List.of(
            new Replica("operator-1", world, chance, api, key),
            new Replica("operator-2", world, chance, api, key));
  }

  private DeviceMigrationSpec spec(Chance luck) {
    hasty = luck.oneIn(4);
    String soon = hasty ? "40ms" : null;
    return new DeviceMigrationSpec(
        new DeviceLocation("node-a", ModelDevice.ID),
        new DeviceLocation("node-b", ModelDevice.ID),
        new Convergence(
            luck.oneIn(3) ? Convergence.Mode.COLD : Convergence.Mode.LIVE, null, null, null, null),
        null,
        new Timeouts(soon, soon, soon, soon, soon, soon),
        false,
        manual ? Switchover.MANUAL : Switchover.AUTOMATIC,
        null,
        null,
        null);
  }

  void start() {
    replicas.forEach(Replica::start);
    elect(replicas.get(0));
  }

  // ------------------------------------------------------------------ what is recorded

  Handover decision() {
    return api.handover();
  }

  DeviceMigrationStatus status() {
    return api.status();
  }

  /** Whether it was rolled back because the user asked for that. */
  boolean cancelled() {
    return status().rollback() != null && status().rollback().cancelled();
  }

  boolean isAskedToTakeBack() {
    return api.object().filter(object -> object.getSpec().takeBack() != null).isPresent();
  }

  /** Whether the source was taken back after it was committed. */
  boolean takenBack() {
    return status().takenBack();
  }

  /** Whether the object is as it was left: nothing is to be done for it. */
  boolean isOver() {
    return status().phaseOrPending().terminal()
        && api.object().filter(object -> object.isMarkedForDeletion()).isEmpty();
  }

  /** Whether it waits for nothing for longer than a moment. */
  boolean isHasty() {
    return hasty;
  }

  SessionKey key() {
    return key;
  }

  /** How often all replicas looked. */
  int looks() {
    return replicas.stream().mapToInt(Replica::turns).sum();
  }

  // ------------------------------------------------------------------ what happens to it

  /** Has the user cancel at that look. */
  void cancelAt(int look) {
    cancelAtTurn = look;
  }

  /** Nobody gets the lease any more. */
  void electNobody() {
    elects = false;
  }

  Replica leader() {
    return holder;
  }

  void changed() {
    replicas.forEach(Replica::news);
  }

  /** What may happen to the control plane in one step. */
  void step() {
    long now = world.loop().nanoTime();
    if (looks() >= cancelAtTurn) {
      cancelAtTurn = Integer.MAX_VALUE;
      world.note("the user cancels");
      api.cancel();
    }
    userActs();
    for (Replica replica : replicas) {
      if (replica.isUp()) {
        suffer(replica);
      } else if (chance.oneIn(20) || !chance.faults()) {
        world.note(replica + " starts");
        replica.start();
      }
    }
    if (holder != null && (!holder.isUp() || !holder.leads())) {
      holder = null;
      leaseUntil = now + LEASE_NANOS;
    }
    if (holder == null && now >= leaseUntil && elects) {
      replicas.stream().filter(Replica::isUp).findFirst().ifPresent(this::elect);
    }
  }

  private void userActs() {
    if (userCancels && chance.fault(300)) {
      world.note("the user cancels");
      api.cancel();
    }
    if (userDeletes && chance.fault(300)) {
      world.note("the user deletes the object");
      api.delete();
    }
    if (takesBack
        && status().phase() == Phase.ACTION_REQUIRED
        && decision() == Handover.COMMITTED
        && !status().takenBack()
        && chance.oneIn(100)) {
      askToTakeBack();
    }
    if (manual && api.object().filter(Operator::isManual).isPresent() && chance.oneIn(200)) {
      world.note("the user releases the switchover");
      api.switchOver();
    }
  }

  private void askToTakeBack() {
    if (api.object().filter(object -> object.getSpec().takeBack() == null).isPresent()) {
      world.note("an administrator wants the source back");
      api.takeBack();
    }
  }

  private static boolean isManual(dev.vfio.migration.operator.api.DeviceMigration object) {
    return object.getSpec().switchover() == Switchover.MANUAL;
  }

  private void suffer(Replica replica) {
    if (chance.fault(400)) {
      world.note(replica + " is killed");
      replica.crash();
    } else if (chance.fault(400)) {
      world.note(replica + " is stopped for a while");
      replica.stop(chance.below(STOPPED_NANOS));
    } else if (chance.fault(400)) {
      Role side = chance.oneIn(2) ? Role.SOURCE : Role.DESTINATION;
      world.note(replica + " does not reach the agent of the " + side);
      replica.cutOff(side, chance.below(STOPPED_NANOS));
    } else if (chance.fault(300) && replica != holder) {
      // Its lease was over; it learns of that when its process ends.
      Replica before = holder;
      elect(replica);
      if (before != null && before.leads()) {
        world.note(before + " still believes that it leads");
        world.loop().lane(before + " learns").later(chance.below(STOPPED_NANOS), () -> end(before));
      }
    }
  }

  private void end(Replica deposed) {
    if (deposed != holder && deposed.isUp()) {
      world.note(deposed + " learns that it leads no more, and ends");
      deposed.crash();
    }
  }

  private void elect(Replica replica) {
    holder = replica;
    world.note(replica + " leads");
    replica.lead(FIRST_NUMBER + api.nextVersion());
  }
}
