package dev.vfio.migration.vfio.feature;

import static dev.vfio.migration.vfio.feature.FeatureState.ERROR;
import static dev.vfio.migration.vfio.feature.FeatureState.PRE_COPY;
import static dev.vfio.migration.vfio.feature.FeatureState.PRE_COPY_P2P;
import static dev.vfio.migration.vfio.feature.FeatureState.RESUMING;
import static dev.vfio.migration.vfio.feature.FeatureState.RUNNING;
import static dev.vfio.migration.vfio.feature.FeatureState.RUNNING_P2P;
import static dev.vfio.migration.vfio.feature.FeatureState.STOP;
import static dev.vfio.migration.vfio.feature.FeatureState.STOP_COPY;

import dev.vfio.migration.vfio.device.MigrationFlag;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/**
 * The way from one state of the v2 interface to another, hop by hop. A kernel walks the same way by
 * itself; this one is walked step by step so that it is known which hop failed, and which one
 * brought a data file.
 *
 * <pre>
 * from \ to     STOP         RUNNING      PRE_COPY     PRE_COPY_P2P STOP_COPY    RESUMING     RUNNING_P2P
 * STOP          STOP         RUNNING_P2P  RUNNING_P2P  RUNNING_P2P  STOP_COPY    RESUMING     RUNNING_P2P
 * RUNNING       RUNNING_P2P  RUNNING      PRE_COPY     RUNNING_P2P  RUNNING_P2P  RUNNING_P2P  RUNNING_P2P
 * PRE_COPY      RUNNING      RUNNING      PRE_COPY     PRE_COPY_P2P PRE_COPY_P2P RUNNING      RUNNING
 * PRE_COPY_P2P  RUNNING_P2P  RUNNING_P2P  PRE_COPY     PRE_COPY_P2P STOP_COPY    RUNNING_P2P  RUNNING_P2P
 * STOP_COPY     STOP         STOP         -            -            STOP_COPY    STOP         STOP
 * RESUMING      STOP         STOP         STOP         STOP         STOP         RESUMING     STOP
 * RUNNING_P2P   STOP         RUNNING      RUNNING      PRE_COPY_P2P STOP         STOP         RUNNING_P2P
 * </pre>
 *
 * <p>A hop to a state that the device has not is not taken; the way goes on behind it. Nothing
 * leads into or out of ERROR.
 *
 * <p>Source: {@code vfio_mig_get_next_state} in {@code drivers/vfio/vfio_main.c} of Linux 6.12.
 */
final class FeatureHops {

  private FeatureHops() {}

  /**
   * The hops to take, without the current state; empty where the device is there already. Null
   * where no way leads there, or the device has not both states.
   */
  static List<FeatureState> path(FeatureState from, FeatureState to, Set<MigrationFlag> flags) {
    if (from == ERROR || to == ERROR || !from.isOf(flags) || !to.isOf(flags)) {
      return null;
    }
    List<FeatureState> hops = new ArrayList<>();
    FeatureState at = from;
    while (at != to) {
      at = next(at, to);
      if (at == ERROR) {
        return null;
      }
      if (at.isOf(flags)) {
        hops.add(at);
      }
    }
    return hops;
  }

  /** One hop of a device that has all states; ERROR where there is none. */
  static FeatureState next(FeatureState from, FeatureState to) {
    if (to == ERROR) {
      return ERROR;
    }
    return switch (from) {
      case STOP ->
          switch (to) {
            case STOP, STOP_COPY, RESUMING -> to;
            case RUNNING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P -> RUNNING_P2P;
            case ERROR -> ERROR;
          };
      case RUNNING ->
          switch (to) {
            case RUNNING, PRE_COPY -> to;
            case STOP, STOP_COPY, RESUMING, RUNNING_P2P, PRE_COPY_P2P -> RUNNING_P2P;
            case ERROR -> ERROR;
          };
      case PRE_COPY ->
          switch (to) {
            case PRE_COPY -> PRE_COPY;
            case PRE_COPY_P2P, STOP_COPY -> PRE_COPY_P2P;
            case STOP, RUNNING, RESUMING, RUNNING_P2P -> RUNNING;
            case ERROR -> ERROR;
          };
      case PRE_COPY_P2P ->
          switch (to) {
            case PRE_COPY, PRE_COPY_P2P, STOP_COPY -> to;
            case STOP, RUNNING, RESUMING, RUNNING_P2P -> RUNNING_P2P;
            case ERROR -> ERROR;
          };
      case STOP_COPY ->
          switch (to) {
            case STOP_COPY -> STOP_COPY;
            case STOP, RUNNING, RESUMING, RUNNING_P2P -> STOP;
            case PRE_COPY, PRE_COPY_P2P, ERROR -> ERROR;
          };
      case RESUMING -> to == RESUMING ? RESUMING : STOP;
      case RUNNING_P2P ->
          switch (to) {
            case RUNNING_P2P, PRE_COPY_P2P -> to;
            case RUNNING, PRE_COPY -> RUNNING;
            case STOP, STOP_COPY, RESUMING -> STOP;
            case ERROR -> ERROR;
          };
      case ERROR -> ERROR;
    };
  }
}
