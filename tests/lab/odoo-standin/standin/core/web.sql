INSERT INTO ir_ui_view (name, key, type, mode, active, priority, arch_db)
    SELECT 'neutralize_banner', 'web.neutralize_banner', 'qweb', 'extension', false, 16, '{"en_US": "<span/>"}'
    WHERE NOT EXISTS (SELECT 1 FROM ir_ui_view WHERE key = 'web.neutralize_banner');
