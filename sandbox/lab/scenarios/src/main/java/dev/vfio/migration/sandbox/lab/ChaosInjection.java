package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.rounds.Blow;
import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import java.io.IOException;
import java.util.function.Function;

/** One fault of one part, from its begin to its mending. Used by one thread. */
final class ChaosInjection {
  private final LabCluster cluster;
  private final Function<GuestNode, GuestMachine> machines;
  private final ChaosPair pair;
  private final ChaosPart part;
  private final Fault fault;

  ChaosInjection(
      LabCluster cluster,
      Function<GuestNode, GuestMachine> machines,
      ChaosPair pair,
      Blow<ChaosPart> blow) {
    this.cluster = cluster;
    this.machines = machines;
    this.pair = pair;
    this.part = blow.part();
    this.fault = blow.fault();
  }

  ChaosPart part() {
    return part;
  }

  void begin() throws IOException, InterruptedException {
    LabCluster.Step step =
        switch (fault) {
          case KILL -> kill();
          case STOP -> stop();
          case CUT -> cut(true);
          case SLOW, CORRUPT -> throw new IllegalStateException(part + " knows no " + fault);
        };
    step.take();
  }

  /** Ends the fault; what was killed is started again, and ready when this returns. */
  void mend() throws IOException, InterruptedException {
    LabCluster.Step step =
        switch (fault) {
          case KILL -> relaunch();
          case STOP -> proceed();
          case CUT -> cut(false);
          case SLOW, CORRUPT -> throw new IllegalStateException(part + " knows no " + fault);
        };
    step.take();
  }

  private LabCluster.Step kill() {
    return switch (part) {
      case SOURCE_AGENT, DESTINATION_AGENT -> () -> agent().kill();
      case OPERATOR -> cluster::killOperator;
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> workload().kill();
      case SOURCE_GUEST, DESTINATION_GUEST -> () -> machine().kill();
      case LINK -> throw new IllegalStateException("a link is cut, not killed");
    };
  }

  private LabCluster.Step relaunch() {
    return switch (part) {
      case SOURCE_AGENT, DESTINATION_AGENT -> () -> agent().restart();
      case OPERATOR -> cluster::restartOperator;
      // Its device is the agent's for as long as the migration lasts.
      case SOURCE_WORKLOAD -> () -> {};
      case WAITING_WORKLOAD -> pair::launchWaiting;
      case SOURCE_GUEST, DESTINATION_GUEST ->
          () -> {
            machine().boot();
            agent().restart();
          };
      case LINK -> throw new IllegalStateException("a link is cut, not killed");
    };
  }

  private LabCluster.Step stop() {
    return switch (part) {
      case SOURCE_AGENT, DESTINATION_AGENT -> () -> agent().suspend();
      case OPERATOR -> cluster::suspendOperator;
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> workload().suspend();
      case SOURCE_GUEST, DESTINATION_GUEST -> () -> machine().suspend();
      case LINK -> throw new IllegalStateException("a link is cut, not stopped");
    };
  }

  private LabCluster.Step proceed() {
    return switch (part) {
      case SOURCE_AGENT, DESTINATION_AGENT -> () -> agent().proceed();
      case OPERATOR -> cluster::proceedOperator;
      case SOURCE_WORKLOAD, WAITING_WORKLOAD -> () -> workload().proceed();
      case SOURCE_GUEST, DESTINATION_GUEST -> () -> machine().proceed();
      case LINK -> throw new IllegalStateException("a link is cut, not stopped");
    };
  }

  /** Nothing of what is sent arrives, and nobody is told. */
  private LabCluster.Step cut(boolean begins) {
    String both = GuestNode.CONTROL_LINK + " " + GuestNode.STATE_LINK;
    return switch (part) {
      case SOURCE_AGENT, DESTINATION_AGENT -> () -> node().setLinks(both, !begins);
      case LINK -> () -> pair.source().node().setLinks(GuestNode.STATE_LINK, !begins);
      case OPERATOR ->
          () -> {
            pair.source().node().setLinks(GuestNode.CONTROL_LINK, !begins);
            pair.destination().node().setLinks(GuestNode.CONTROL_LINK, !begins);
          };
      case SOURCE_WORKLOAD, WAITING_WORKLOAD, SOURCE_GUEST, DESTINATION_GUEST ->
          throw new IllegalStateException(part + " is not cut by itself");
    };
  }

  /** The node of the part's own end. */
  private GuestNode node() {
    return switch (part) {
      case SOURCE_AGENT, SOURCE_WORKLOAD, SOURCE_GUEST -> pair.source().node();
      case DESTINATION_AGENT, WAITING_WORKLOAD, DESTINATION_GUEST -> pair.destination().node();
      case OPERATOR, LINK -> throw new IllegalStateException(part + " is on no node");
    };
  }

  private GuestMachine machine() {
    return machines.apply(node());
  }

  private GuestAgent agent() {
    return cluster.agentOf(node());
  }

  private LabWorkload workload() {
    return part == ChaosPart.SOURCE_WORKLOAD ? pair.owner() : pair.waiting();
  }
}
