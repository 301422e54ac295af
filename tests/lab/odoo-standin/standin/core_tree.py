"""core_tree DIR: writes the core modules' folders into DIR. Run once, while the image is made."""

import os
import pprint
import shutil
import sys

FOLDER = os.path.join(os.path.dirname(__file__), "core")
# name: (title, version, depends, installs itself, some of its files)
MODULES = {
    "base": ("Base", "1.3", [], True, ["data/res_bank.xml", "data/res.lang.csv", "data/res_users_data.xml", "security/base_groups.xml", "data/ir_cron_data.xml", "security/ir.model.access.csv"]),
    "web": ("Web", "1.0", ["base"], True, ["security/ir.model.access.csv", "views/webclient_templates.xml", "views/neutralize_views.xml"]),
    "auth_totp": ("Two-Factor Authentication (TOTP)", "1.0", ["web"], True, ["security/security.xml", "security/ir.model.access.csv"]),
    "base_import": ("Base import", "2.0", ["web"], True, ["security/ir.model.access.csv"]),
    "base_import_module": ("Base import module", "1.0", ["web"], True, ["security/ir.model.access.csv"]),
    "base_setup": ("Initial Setup Tools", "1.0", ["base", "web"], True, ["data/base_setup_data.xml"]),
    "bus": ("IM Bus", "1.0", ["base", "web"], True, ["security/ir.model.access.csv"]),
    "web_tour": ("Tours", "1.0", ["web"], True, ["security/ir.model.access.csv", "views/tour_views.xml"]),
    "html_editor": ("HTML Editor", "1.0", ["base", "bus", "web"], True, []),
    "iap": ("In-App Purchases", "1.1", ["web", "base_setup"], True, ["data/services.xml", "security/ir.model.access.csv", "security/ir_rule.xml"]),
    "web_editor": ("Web Editor", "1.0", ["bus", "web", "html_editor"], True, ["security/ir.model.access.csv", "views/editor.xml"]),
    "web_unsplash": ("Unsplash Image Library", "1.1", ["base_setup", "web_editor", "html_editor"], True, ["views/res_config_settings_view.xml"]),
    "mail": ("Discuss", "1.18", ["base", "base_setup", "bus", "web_tour", "html_editor"], False, ["data/mail_groups.xml", "data/ir_cron_data.xml", "security/ir.model.access.csv"]),
    "auth_signup": ("Signup", "1.0", ["base_setup", "mail", "web"], True, ["data/ir_config_parameter_data.xml"]),
    "auth_totp_mail": ("2FA Invite mail", "1.0", ["auth_totp", "mail"], True, ["data/ir_action_data.xml"]),
    "base_install_request": ("Base - Module Install Request", "1.0", ["mail"], True, ["security/ir.model.access.csv"]),
    "google_gmail": ("Google Gmail", "1.2", ["mail"], True, ["views/ir_mail_server_views.xml"]),
    "iap_mail": ("IAP / Mail", "1.0", ["iap", "mail"], True, ["data/mail_templates.xml"]),
    "mail_bot": ("OdooBot", "1.2", ["mail"], True, ["data/mailbot_data.xml"]),
    "partner_autocomplete": ("Partner Autocomplete", "1.1", ["iap_mail"], True, ["security/ir.model.access.csv"]),
    "phone_validation": ("Phone Numbers Validation", "2.1", ["base", "mail"], True, ["security/ir.model.access.csv"]),
    "privacy_lookup": ("Privacy", "1.0", ["mail"], True, ["views/privacy_log_views.xml"]),
    "sms": ("SMS gateway", "3.0", ["base", "iap_mail", "mail", "phone_validation"], True, ["data/ir_cron_data.xml"]),
    "snailmail": ("Snail Mail", "0.4", ["iap_mail", "mail"], True, ["data/snailmail_data.xml"]),
    "contacts": ("Contacts", "1.0", ["base", "mail"], False, ["views/contact_views.xml"]),
}  # fmt: skip


def main(folder):
    """Writes a manifest for each, and the statements that neutralize it where there are some."""
    for name, (title, version, depends, auto, files) in MODULES.items():
        os.makedirs(os.path.join(folder, name), exist_ok=True)
        info = {"name": title, "version": version, "depends": depends, "auto_install": auto, "data": files, "license": "LGPL-3", "core": True}
        info["description"] = "A core module of the stand-in; no code of Odoo is in it."
        with open(os.path.join(folder, name, "__manifest__.py"), "w", encoding="utf-8") as file:
            file.write(pprint.pformat(info, sort_dicts=False) + "\n")
        with open(os.path.join(folder, name, "__init__.py"), "w", encoding="utf-8"):
            pass
        statements = os.path.join(FOLDER, f"{name}.neutralize.sql")
        if os.path.exists(statements):
            os.makedirs(os.path.join(folder, name, "data"), exist_ok=True)
            shutil.copy(statements, os.path.join(folder, name, "data", "neutralize.sql"))


if __name__ == "__main__":
    main(sys.argv[1])
