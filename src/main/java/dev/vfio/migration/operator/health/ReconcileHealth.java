package dev.vfio.migration.operator.health;

import jakarta.inject.Singleton;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Whether reconciling works at all: it does not while every migration's last reconciliation failed.
 * Where one fails and others succeed, only that object is in trouble, and its condition says so.
 * Thread-safe.
 */
@Singleton
public final class ReconcileHealth {
  private final Map<String, Optional<String>> last = new ConcurrentHashMap<>();

  public void succeeded(String migration) {
    last.put(migration, Optional.empty());
  }

  public void failed(String migration, Exception failure) {
    last.put(
        migration, Optional.of(failure.getClass().getSimpleName() + ": " + failure.getMessage()));
  }

  /** The API server has no such object any more. */
  public void forget(String migration) {
    last.remove(migration);
  }

  /** Why nothing is reconciled; empty while something is, or while there is nothing to do. */
  public Optional<String> trouble() {
    boolean works = last.isEmpty() || last.values().stream().anyMatch(Optional::isEmpty);
    return works ? Optional.empty() : last.values().stream().flatMap(Optional::stream).findFirst();
  }
}
